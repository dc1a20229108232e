"""What LoRA saves (S2, S5, S6, S10): counted from shapes for any model, measured on one's runs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

from lora_lab.config import Settings
from lora_lab.lab import planning
from lora_lab.lab import training as runs_of
from lora_lab.models import shapes
from lora_lab.training import forecast as forecasting
from lora_lab.training import speed

METHODS = ("lora", "full")
Told = dict[str, Any]


def cost(settings: Settings, tasks: int = 10) -> dict[str, Any]:
    """LoRA beside full fine-tuning, from the model's shapes alone: {"lora": …, "full": …}, each

    "trainable", "percent" of all; "memory": bytes by what holds them (training.forecast.memory);
    "memory_bytes", their sum; "storage_bytes": on disk for `tasks` tasks,
    which is the base once and an adapter a task, or a whole model a task.
    """
    known = shapes.shapes(settings.model)
    reading = forecasting.Reading(mean_tokens=settings.max_length / 2)
    base_bytes = known.total * (4 if known.small else 2)
    told: dict[str, Any] = {"model": settings.model, "total": known.total, "tasks": tasks}
    for method in METHODS:
        own = replace(settings, method=method)
        numbers = planning.count(own)
        memory = forecasting.memory(known, own, reading, speed.known())
        each = base_bytes if method == "full" else numbers["adapter_bytes"]
        told[method] = {
            "trainable": numbers["trainable"],
            "percent": numbers["percent"],
            "memory": memory,
            "memory_bytes": sum(memory.values()),
            "storage_bytes": tasks * each + (0 if method == "full" else base_bytes),
        }
    return told


def measured(owner: str) -> list[dict[str, Any]]:
    """One's finished runs in groups of the same model and data, newest first: {"model", "data",
    "loss": a held-out loss that every run of the group came down to, "runs": [{"id", "method",
    "rank", "steps", "heldout_loss", "peak_memory_bytes", "seconds_a_step", "seconds_to_loss"}]}."""
    groups: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for run in runs_of.runs(owner):
        if run["task"] == "text" and (run["result"] or {}).get("heldout_loss") is not None:
            groups[run["settings"]["model"], run["data"]["fingerprint"]].append(run)
    return [_group(group, owner) for group in groups.values()]


def _group(group: list[Told], owner: str) -> Told:
    loss = max(run["result"]["heldout_loss"] for run in group)
    first = group[0]
    told = [_measured(run, loss, runs_of.events(run["id"], owner)[0]) for run in group]
    data = {"model": first["settings"]["model"], "data": first["data"]["name"]}
    return {**data, "loss": loss, "runs": told}


def _measured(run: Told, loss: float, events: list[Told]) -> Told:
    result, settings = run["result"], run["settings"]
    stepping = result["tokens"] / result["tokens_per_second"]
    return {
        "id": run["id"],
        "method": settings.get("method", "lora"),
        "rank": settings["rank"],
        "steps": result["steps"],
        "heldout_loss": result["heldout_loss"],
        "peak_memory_bytes": result["peak_memory_bytes"],
        "seconds_a_step": stepping / result["steps"],
        "seconds_to_loss": seconds_to(loss, events),
    }


def seconds_to(loss: float, events: list[Told]) -> float | None:
    """When the held-out loss first was at most this, between two measurements on a straight line;
    None where it never was."""
    before: Told | None = None
    for event in events:
        if event["kind"] != "heldout":
            continue
        if event["loss"] <= loss:
            if before is None or before["loss"] == event["loss"]:
                return event["seconds"]
            share = (before["loss"] - loss) / (before["loss"] - event["loss"])
            return before["seconds"] + share * (event["seconds"] - before["seconds"])
        before = event
    return None
