"""How long a token takes, for the base and for each adapter beside it."""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import Any

from lora_lab.evaluation.choosing import Chooser
from lora_lab.evaluation.forward import Forward
from lora_lab.evaluation.generating import Column, answering

WARM_UP = 2  # steps not counted: the prompt's own, and the first that meets a filled cache
STEPS = 12


def ms_per_token(
    model: Any, routing: Any, ids: list[int], columns: list[Column], steps: int = STEPS
) -> list[float]:
    """Milliseconds a token, a column: the median of steps answers' tokens, one row at a time.

    ids: the prompt. The columns take turns token by token, so that whatever else slows the machine
    slows them alike.
    """
    forwards = [Forward(model, [ids], WARM_UP + steps) for _ in columns]
    taken: list[list[float]] = [[] for _ in columns]
    greedy = Chooser(0, 1, 0)
    for _ in range(WARM_UP + steps):
        for column, forward, times in zip(columns, forwards, taken, strict=True):
            with answering(model, routing, [column]):
                began = perf_counter()
                forward.step(greedy)
                times.append(1000 * (perf_counter() - began))
    return [median(times[WARM_UP:]) for times in taken]
