"""Experiments made from plain data: a race of ranks, alpha, alpha and learning rate, few examples,
inits. Each is a list of arms over one common Settings (runs/arms.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from lora_lab.config import INITS, Settings, choice
from lora_lab.errors import LabError
from lora_lab.runs.arms import Arm

MOST_ARMS = 100
MOST_SEEDS = 10
OTHERS = ("full", "prefix")
CURVE = 5  # times that the held-out loss is measured on the way


def common(settings: Settings) -> Settings:
    """What all arms of an experiment have in common: no samples, and a curve of few points."""
    every = min(settings.evaluate_every, max(1, settings.steps // CURVE))
    return replace(
        settings,
        evaluate_every=every,
        checkpoint_every=max(settings.checkpoint_every, settings.steps // 4),
        sample_every=100_000,
        patience=0,
    ).checked()


def race(
    settings: Settings,
    datasets: Sequence[str] = (),
    ranks: Sequence[int] = (1, 2, 4, 8, 64),
    others: Sequence[str] = (),
    seeds: int = 1,
) -> list[Arm]:
    """Ranks against each other at the same alpha / r, and others: "full", "prefix"."""
    for method in others:
        choice({"say": "setting.method.label"}, method, OTHERS)
    if not all(type(rank) is int for rank in ranks):
        raise TypeError(ranks)
    ratio = settings.alpha / settings.rank
    arms = []
    # Whatever is named twice is one arm: its figures stand under one name.
    for data in dict.fromkeys(datasets or (settings.data,)):
        for seed in _seeds(settings, seeds):
            here = {"data": data, "seed": seed}
            arms += [
                Arm(str(rank), {**here, "method": "lora", "rank": rank, "alpha": ratio * rank})
                for rank in dict.fromkeys(ranks)
            ]
            arms += [Arm(each, {**here, "method": each}) for each in dict.fromkeys(others)]
    return arms


def alpha(settings: Settings, alphas: Sequence[float]) -> list[Arm]:
    """Alpha at a fixed rank, scaled by alpha / r and by alpha / √r."""
    return [
        Arm(f"{each:g}", {"alpha": each, "scaling": scaling})
        for scaling in ("plain", "rank-stabilised")
        for each in alphas
    ]


def grid(settings: Settings, alphas: Sequence[float], rates: Sequence[float]) -> list[Arm]:
    """Every alpha at every learning rate."""
    return [
        Arm(f"{each:g} × {rate:g}", {"alpha": each, "learning_rate": rate})
        for each in alphas
        for rate in rates
    ]


def few(settings: Settings, rows: Sequence[int]) -> list[Arm]:
    """LoRA as set, and full fine-tuning, on so many training rows each."""
    methods = (str(settings.rank), "lora"), ("full", "full")
    return [Arm(label, {"method": method}, count) for label, method in methods for count in rows]


def init(settings: Settings) -> list[Arm]:
    """How A and B start."""
    return [Arm(name, {"init": name}) for name in INITS]


KINDS: dict[str, Callable[..., list[Arm]]] = {
    "race": race,
    "alpha": alpha,
    "grid": grid,
    "few": few,
    "init": init,
}


def arms_of(kind: str, settings: Settings, choices: dict[str, Any]) -> list[Arm]:
    """The experiment's arms, each checked. Raises LabError when there are none or too many, or a
    value is out of its range."""
    try:  # a program may ask for anything
        for each in choices.values():
            if isinstance(each, (list, tuple, str)) and len(each) > MOST_ARMS:
                raise LabError("too_many_arms", arms=len(each), most=MOST_ARMS)
        arms = KINDS[kind](settings, **choices)
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise LabError("no_such_experiment", kind=str(kind)[:40], kinds=", ".join(KINDS)) from fault
    if not arms:
        raise LabError("no_arms")
    if len(arms) > MOST_ARMS:
        raise LabError("too_many_arms", arms=len(arms), most=MOST_ARMS)
    for arm in arms:
        arm.settings(settings)
        if type(arm.rows) is not int or arm.rows < 0:
            raise LabError("no_arms")
    return arms


def _seeds(settings: Settings, count: int) -> range:
    if not 1 <= count <= MOST_SEEDS:
        raise LabError("seeds_out_of_range", most=MOST_SEEDS)
    return range(settings.seed, settings.seed + count)
