"""How long a token takes, for the base and for each adapter beside it."""

from __future__ import annotations

from time import perf_counter
from typing import Any, NamedTuple

from lora_lab.evaluation.choosing import Chooser
from lora_lab.evaluation.forward import Forward
from lora_lab.evaluation.generating import answering
from lora_lab.lora.routing import Choice, Routing

WARM_UP = 2  # steps not counted: the prompt's own, and the first that meets a filled cache
STEPS = 12


class Way(NamedTuple):
    """Something that answers: a model, its adapters (or None), and the column it answers as."""

    model: Any
    routing: Routing | None
    column: Choice


def taken(ways: list[Way], ids: list[int], steps: int) -> list[list[float]]:
    """Milliseconds of each of steps tokens, for each way.

    The ways take turns token by token, so that whatever else slows the machine slows them alike.
    """
    forwards = [Forward(way.model, [ids], WARM_UP + steps) for way in ways]
    all_taken: list[list[float]] = [[] for _ in ways]
    greedy = Chooser(0, 1, 0)
    for _ in range(WARM_UP + steps):
        for way, forward, times in zip(ways, forwards, all_taken, strict=True):
            with answering(way.model, way.routing, [way.column]):
                began = perf_counter()
                forward.step(greedy)
                times.append(1000 * (perf_counter() - began))
    return [times[WARM_UP:] for times in all_taken]


def interval(times: list[float]) -> tuple[float, float]:
    """Between which two of the times the median lies with 95 % confidence, whatever their spread
    (the sign test's interval: the ranks n / 2 ± 0.98 √n)."""
    ordered, half = sorted(times), 0.98 * len(times) ** 0.5
    low, high = round(len(times) / 2 - half), round(len(times) / 2 + half)
    return ordered[max(low - 1, 0)], ordered[min(high, len(times) - 1)]
