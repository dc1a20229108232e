"""Learning rates looked for before a race: for each arm that was given none.

Arms that differ by their seed alone share a search, made on the first of them over half of the
steps. Every training of it is an event ("search"), and so is each rate that was found ("rate"), so
that a page shows the points and a resume does not look again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lora_lab.config import Settings
from lora_lab.models import shapes
from lora_lab.runs.arms import arms_of
from lora_lab.runs.folder import Run
from lora_lab.training import rates
from lora_lab.training.climbing import best_rate

SHARE = 0.5  # of an arm's steps: enough to tell rates apart that differ by two and more
Trial = Callable[[int, Settings], float | None]


class _StoppedError(Exception):
    pass


def searched(run: Run, settings_of: Callable[[int], Settings], trial: Trial) -> bool:
    """Find the rates that are missing; False when the run was asked to stop on the way.

    trial(arm, settings) is the held-out loss after such a training, or None where it was stopped.
    """
    groups: dict[str, list[int]] = {}
    for number, arm in enumerate(arms_of(run)):
        if not settings_of(number).learning_rate:
            groups.setdefault(arm.apart_from("seed"), []).append(number)
    try:
        for numbers in groups.values():
            rate = _best(run, numbers[0], settings_of(numbers[0]), trial)
            for number in numbers:
                run.append("rate", arm=number, learning_rate=rate)
    except _StoppedError:
        return False
    return True


def _best(run: Run, number: int, settings: Settings, trial: Trial) -> float:
    steps = max(1, round(settings.steps * SHARE))
    short = replace(settings, steps=steps, evaluate_every=steps, checkpoint_every=steps, patience=0)
    known = {
        event["learning_rate"]: event["loss"]
        for event in run.events()[0]
        if event["kind"] == "search" and event["arm"] == number
    }

    def loss_at(rate: float) -> float:
        if rate not in known:
            loss = trial(number, replace(short, learning_rate=rate))
            if loss is None:
                raise _StoppedError
            known[rate] = loss if loss < float("inf") else None
            run.append("search", arm=number, learning_rate=rate, loss=known[rate], steps=steps)
        told = known[rate]
        return float("inf") if told is None else told

    small = shapes.shapes(settings.model).small
    return best_rate(rates.rate(settings, small), loss_at)
