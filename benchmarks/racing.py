"""Arms in turns against the same arms one after the other, on the model and the near stories in the
box: the time of the one over the time of the other.

    python -m benchmarks.racing [--ranks 1,2,4,8,64] [--steps 10] [--rounds 3] [--device cpu]

Both sides run in this one process, with the model loaded and a warm-up behind them, by turns, so
that a slow minute of the machine falls on both; the processor's own seconds stand beside those of
the clock, for a machine that others use too. The processor has the same sums to do either way:
what turns can cost is each arm's weights and moments leaving the cache, and a ratio of 1 means that
they cost nothing. What one gains is that the curves stand side by side from the first step.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import torch

from lora_lab.config import Settings
from lora_lab.data import reading, samples, shaping, tokenising
from lora_lab.evaluation.heldout import heldout_loss
from lora_lab.models import loading, sources
from lora_lab.training import loop, machine, methods, race

HELDOUT = 16  # rows; a measurement at the start and at the end


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ranks", default="1,2,4,8,64")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    told = parser.parse_args()
    machine.settle(Settings(device=told.device), small=True).take()
    arms = _arms(told)
    _seconds(arms[:1], True)
    ratios: list[tuple[float, ...]] = []
    for number in range(told.rounds):
        order = (True, False) if number % 2 == 0 else (False, True)
        taken = {together: _seconds(arms, together) for together in order}
        ratios.append(tuple(a / b for a, b in zip(taken[True], taken[False], strict=True)))
        print(
            f"in turns {taken[True][0]:6.1f} s, one after the other {taken[False][0]:6.1f} s:"
            f" {ratios[-1][0]:.2f} (processor {ratios[-1][1]:.2f})",
            flush=True,
        )
    clock, processor = (median(each) for each in zip(*ratios, strict=True))
    print(
        f"{len(arms)} arms, {told.steps} steps, the median: {clock:.2f} of the time,"
        f" {processor:.2f} of the processor's"
    )


def _arms(told: argparse.Namespace) -> list[race.Arm]:
    common = Settings(steps=told.steps, learning_rate=5e-3, evaluate_every=told.steps)
    common = replace(common, sample_every=100_000, checkpoint_every=100_000)
    device = torch.device(told.device)
    model, tokenizer = loading.load(sources.fetch(common.model), torch.float32)
    base = model.to(device).requires_grad_(False)
    table = reading.read(samples.resolve(common.data))
    train, kept_out = tokenising.split(shaping.shape(table, common), common.heldout_share, 0)
    rows = tokenising.encode(train, tokenizer, common.max_length)
    heldout = tokenising.encode(kept_out, tokenizer, common.max_length)[:HELDOUT]
    settings = [
        replace(common, rank=int(rank), alpha=2.0 * int(rank)) for rank in told.ranks.split(",")
    ]
    return [
        race.Arm(0, device, partial(_start, base, each, rows, heldout, device)) for each in settings
    ]


def _start(
    base: Any, settings: Settings, rows: list, heldout: list, device: torch.device
) -> race.Start:
    model = race.own_model(base, trains_all=False)
    watch = loop.Watch(
        event=lambda *_, **__: 0,
        heldout=lambda: heldout_loss(model, heldout),
        sample=lambda: "",
        save=lambda _: None,
        stop_asked=lambda: False,
        memory=lambda: 0,
    )
    return race.Start(loop.Job(model, methods.put(model, settings), rows, settings, device), watch)


def _seconds(arms: list[race.Arm], together: bool) -> tuple[float, float]:
    """By the clock, and of this process on the processor."""
    began, busy = time.perf_counter(), time.process_time()
    for _ in race.race(arms, together):
        pass
    if arms[0].device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began, time.process_time() - busy


if __name__ == "__main__":
    main()
