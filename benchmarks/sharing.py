"""The rows of a batch shared out among threads (lora_lab/models/shares.py) against the same threads
splitting each product of matrices, and against one thread: the time of a training step.

    python -m benchmarks.sharing [--model tiny-stories] [--method lora] [--threads 2] [--rounds 5]

All in one process that is warm, step by step in turns on the same batch, so that a slow moment of
the machine falls on all; the processor's own seconds stand beside those of the clock.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from statistics import median

import torch

from lora_lab.config import Settings
from lora_lab.data import reading, samples, shaping, tokenising
from lora_lab.models import loading, shapes, sources
from lora_lab.models.shares import share_among
from lora_lab.training import loop, machine, methods, speed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny-stories")
    parser.add_argument("--method", default="lora")
    parser.add_argument("--threads", type=int, default=speed.cores())
    parser.add_argument("--rounds", type=int, default=5)
    told = parser.parse_args()
    training = _training(Settings(model=told.model, method=told.method, learning_rate=1e-4))
    ways = {
        "shared out": (1, told.threads),
        "products split": (told.threads, 1),
        "one thread": (1, 1),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(-1, told.rounds):  # the first round warms up
        for name, (threads, shares) in ways.items():
            torch.set_num_threads(threads)
            share_among(shares)
            seconds = _step(training)
            if number >= 0:
                taken[name].append(seconds)
    shared = taken["shared out"]
    for name, seconds in taken.items():
        clock, processor = (median(each) for each in zip(*seconds, strict=True))
        ratio = median(other[0] / own[0] for other, own in zip(seconds, shared, strict=True))
        print(f"{name:15} {clock:7.3f} s a step (processor {processor:.3f}): {ratio:.2f}×")


def _training(settings: Settings) -> loop._Training:
    place = machine.settle(replace(settings, device="cpu"), shapes.shapes(settings.model).small)
    model, tokenizer = loading.load(sources.fetch(settings.model), place.dtype)
    model.requires_grad_(False)
    table = reading.read(samples.resolve(settings.data))
    rows = tokenising.encode(shaping.shape(table, settings), tokenizer, settings.max_length)
    method = methods.put(model, settings, tokenizer)
    job = loop.Job(model, method, rows, settings, torch.device("cpu"))
    watch = loop.Watch(
        event=lambda *_, **__: 0,
        heldout=lambda: 0.0,
        sample=lambda: "",
        save=lambda _: None,
        stop_asked=lambda: False,
        memory=lambda: 0,
    )
    return loop._Training(job, watch, None)


def _step(training: loop._Training) -> tuple[float, float]:
    """Seconds of the clock and of the processor that one step takes, on the same batch as ever."""
    training.batches = training.plan.batches_at(0)
    began = time.perf_counter(), time.process_time()
    training._step()
    return time.perf_counter() - began[0], time.process_time() - began[1]


if __name__ == "__main__":
    main()
