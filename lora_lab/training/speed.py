"""How fast this machine multiplies matrices: measured once by a worker, read by the forecast."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from lora_lab import config

ROWS, INNER, OUTER = 1024, 576, 1536  # the MLP of SmolLM2-135M on a batch of eight rows
REPEATS = 12


@dataclass(frozen=True)
class Speed:
    """float32, bfloat16: multiplications and additions a second in a large product of matrices.

    step: seconds that one small operation costs, whatever its size. threads: how many multiplied.
    The defaults are those of a two-core machine, for as long as nothing was measured.
    """

    float32: float = 150e9
    bfloat16: float = 350e9
    step: float = 8e-6
    threads: int = 2


def known() -> Speed:
    """What was measured last on this machine."""
    try:
        return Speed(**json.loads(_file().read_text()))
    except (OSError, ValueError, TypeError):
        return Speed()


def measure() -> Speed:
    """Measure now, in a tenth of a second or so, and remember. Heavy: needs torch.

    The best of several repeats counts: others may be busy on this machine for a moment.
    """
    import torch

    rates = {}
    for name in ("float32", "bfloat16"):
        a = torch.ones(ROWS, INNER, dtype=getattr(torch, name))
        b = torch.ones(INNER, OUTER, dtype=a.dtype)
        rates[name] = 2 * ROWS * INNER * OUTER / _best(lambda a=a, b=b: a @ b)
    small = torch.ones(64, 64)
    step = _best(lambda: small + small)
    speed = Speed(**rates, step=step, threads=torch.get_num_threads())
    _file().parent.mkdir(parents=True, exist_ok=True)
    _file().write_text(json.dumps(asdict(speed)))
    return speed


def _best(work) -> float:
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken)


def _file() -> Path:
    return config.home() / "speed.json"
