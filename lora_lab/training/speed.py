"""How fast this machine multiplies matrices: measured by its workers, read by the forecast."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import psutil

from lora_lab import config

ROWS, INNER, OUTER = 256, 576, 1536  # the MLP of SmolLM2-135M on two rows of a batch
REPEATS = 15
SMALL_REPEATS = 100  # small operations between two looks at the clock


@dataclass(frozen=True)
class Speed:
    """float32, bfloat16: multiplications and additions a second of one core in a large product.

    step: seconds that one small operation costs, whatever its size. machine: whose figures these
    are. The defaults are those of a two-core machine, for as long as nothing was measured.
    """

    float32: float = 75e9
    bfloat16: float = 200e9
    step: float = 6e-6
    cores: int = 2
    machine: str = ""


def cores() -> int:
    """The processor's own: two threads of one core multiply no faster than one."""
    return psutil.cpu_count(logical=False) or os.cpu_count() or 1


def known() -> Speed:
    """What was measured on this machine."""
    try:
        return Speed(**json.loads(_file().read_text()))
    except (OSError, ValueError, TypeError):
        return Speed()


def measure() -> Speed:
    """Measure now, in a tenth of a second or so, and remember. Heavy: needs torch.

    The best that was ever seen here counts: others may be busy on this machine for a moment, which
    makes it look slower, and nothing makes it look faster.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rates = {}
    for name in ("float32", "bfloat16"):
        a = torch.ones(ROWS, INNER, dtype=getattr(torch, name))
        b = torch.ones(INNER, OUTER, dtype=a.dtype)
        rates[name] = 2 * ROWS * INNER * OUTER / _best(partial(torch.matmul, a, b))
    small = torch.ones(64, 64)
    step = _best(lambda: [small + small for _ in range(SMALL_REPEATS)]) / SMALL_REPEATS
    torch.set_num_threads(threads)
    speed = _best_of(Speed(**rates, step=step, cores=cores(), machine=platform.node()), known())
    _file().parent.mkdir(parents=True, exist_ok=True)
    _file().write_text(json.dumps(asdict(speed)))
    return speed


def _best_of(now: Speed, before: Speed) -> Speed:
    if (before.machine, before.cores) != (now.machine, now.cores):
        return now
    return replace(
        now,
        float32=max(now.float32, before.float32),
        bfloat16=max(now.bfloat16, before.bfloat16),
        step=min(now.step, before.step),
    )


def _best(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken)


def _file() -> Path:
    return config.home() / "speed.json"
