"""What an experiment's events come to: arms over seeds, and the smallest rank that is good enough.

Pure functions from a run's config and events to plain data.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import mean, stdev
from typing import Any

from lora_lab.config import from_json
from lora_lab.runs.arms import Arm

Events = list[dict[str, Any]]
# Where a race has one seed only: twice the standard deviation from seed to seed of what two ranks
# differ by, as benchmarks/rank-table.jsonl has it (near 0.04, far 0.05, middle 0.06).
ONE_SEED_NOISE = 0.05
FIGURES = ("heldout_loss", "heldout_loss_before", "base_text_loss", "seconds")


def standings(told: dict[str, Any], events: Events) -> dict[str, Any]:
    """{"groups", "smallest", "round", "searches"}.

    groups: arms that differ by their seed alone as one: "label", "data", "rows", "changes",
    "arms" (numbers), "ended" (those with a result), "curve" [(step, mean held-out loss, lowest,
    highest)], "losses" by seed, and once it has ended the means of FIGURES, "spread" (of the
    held-out loss over seeds), "trainable", "adapter_bytes", "memory_bytes" (counted beforehand),
    "learning_rate", "update", "failed"; of inits also "begun", the adapted loss at step 0 (a
    curve begins at the base's own).
    smallest: by data, see smallest_within_noise. round: the last progress. searches: the points of
    the search for rates, [{"label", "data", "learning_rate", "loss"}].
    """
    arms = [Arm(**arm) for arm in told["experiment"]["arms"]]
    settings = from_json(told["settings"])
    groups: dict[str, list[int]] = {}
    for number, arm in enumerate(arms):
        groups.setdefault(arm.apart_from("seed"), []).append(number)
    grouped = [_group(arms, numbers, told, events) for numbers in groups.values()]
    for group in grouped:
        group["data"] = group["changes"].get("data", settings.data)
    searches = [
        {
            "label": arms[event["arm"]].label,
            "data": arms[event["arm"]].changes.get("data", settings.data),
            "learning_rate": event["learning_rate"],
            "loss": event["loss"],
        }
        for event in events
        if event["kind"] == "search"
    ]
    return {
        "groups": grouped,
        "smallest": _smallest(grouped) if told["experiment"]["kind"] == "race" else {},
        "round": next((event for event in reversed(events) if event["kind"] == "round"), None),
        "searches": searches,
    }


def smallest_within_noise(losses: dict[int, list[float]]) -> dict[str, Any]:
    """The smallest rank whose loss is the best rank's but for noise. losses: rank -> by seed.

    {"rank", "best", "noise", "seeds"}. Seeds are compared pair by pair, since a seed's split and
    batches move all ranks alike: noise is twice the standard error of such a difference, pooled
    over the ranks. With a single seed there is nothing to tell it from, and the same is taken from
    the recorded trainings (ONE_SEED_NOISE).
    """
    best = min(losses, key=lambda rank: mean(losses[rank]))
    behind = {
        rank: [one - other for one, other in zip(told, losses[best], strict=True)]
        for rank, told in losses.items()
    }
    seeds = len(losses[best])
    noise = ONE_SEED_NOISE
    others = [differences for rank, differences in behind.items() if rank != best]
    if seeds > 1 and others:
        noise = 2 * sqrt(mean(stdev(each) ** 2 for each in others) / seeds)
    smallest = min(rank for rank, differences in behind.items() if mean(differences) <= noise)
    return {"rank": smallest, "best": best, "noise": noise, "seeds": seeds}


def _smallest(groups: list[dict[str, Any]]) -> dict[str, Any]:
    """By data, of the ranks all of whose seeds have ended; two ranks at least."""
    ranks: dict[str, dict[int, list[float]]] = {}
    for group in groups:
        if group["label"].isdigit() and len(group["losses"]) == len(group["arms"]):
            ranks.setdefault(group["data"], {})[int(group["label"])] = group["losses"]
    return {
        data: smallest_within_noise(losses) for data, losses in ranks.items() if len(losses) > 1
    }


def _group(
    arms: Sequence[Arm], numbers: list[int], told: dict[str, Any], events: Events
) -> dict[str, Any]:
    first = arms[numbers[0]]
    ends = {e["arm"]: e for e in events if e["kind"] == "arm" and e["arm"] in numbers}
    ended = [ends[number] for number in numbers if number in ends]
    done = [end for end in ended if end["state"] == "done"]
    curves = [
        {e["step"]: e["loss"] for e in events if e["kind"] == "heldout" and e["arm"] == number}
        for number in numbers
    ]
    forecasts = told["experiment"]["forecasts"]
    group: dict[str, Any] = {
        "label": first.label,
        "rows": first.rows,
        "changes": first.changes,
        "arms": numbers,
        "ended": [number for number in numbers if ends.get(number, {}).get("state") == "done"],
        "curve": _together(curves),
        "losses": [end["heldout_loss"] for end in done if end["heldout_loss"] is not None],
        "memory_bytes": forecasts[numbers[0]]["memory_bytes"],
        "failed": len(ended) - len(done),
        "begun": _mean([e["loss"] for e in events if e["kind"] == "begun" and e["arm"] in numbers]),
        "spread": None,
    }
    group |= {name: _mean([end[name] for end in done]) for name in FIGURES}
    if len(group["losses"]) > 1:
        group["spread"] = stdev(group["losses"])
    for name in ("trainable", "adapter_bytes", "learning_rate", "update"):
        group[name] = done[0][name] if done else first.changes.get(name)
    return group


def _together(curves: list[dict[int, float]]) -> list[tuple[int, float, float, float]]:
    """Step by step over seeds: mean, lowest and highest, where all of them have been measured."""
    steps = set.intersection(*(set(curve) for curve in curves)) if curves else set()
    told = []
    for step in sorted(steps):
        losses = [curve[step] for curve in curves]
        told.append((step, mean(losses), min(losses), max(losses)))
    return told


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known else None
