"""Experiments started and read: a run whose task is a race (runs/arms.py says what it holds)."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from lora_lab.config import Settings
from lora_lab.data.dataset import Dataset
from lora_lab.errors import LabError
from lora_lab.lab import experiments, standings
from lora_lab.lab.data import guess, to_train_on
from lora_lab.lab.planning import count, forecast
from lora_lab.lab.training import check_it_fits, check_the_queue
from lora_lab.models import shapes
from lora_lab.runs import arms as arms_on_disk
from lora_lab.runs import folder
from lora_lab.runs.arms import Arm
from lora_lab.shelf import entry, room
from lora_lab.training import rates

OWN, SEARCH, ONE = RATES = "own", "search", "one"  # whose learning rate an arm trains at
SEARCHED = 4 * 0.5  # trainings' worth of steps that a search takes: about four, each half as long
MOST_STEPS = 100_000  # of an experiment's arms together: as many as a single run may have
STATE_BYTES = 20  # of a trained number: itself, its gradient, two means, the best so far; float32
Files = dict[str, tuple[Path, str]]  # what settings.data calls an upload -> file and its name


def start_experiment(
    kind: str,
    settings: Settings,
    choices: dict[str, Any],
    owner: str,
    rate: str = OWN,
    files: Files | None = None,
) -> str:
    """Check everything that can be checked, queue an experiment, and return its run's id.

    kind, choices: one of experiments.KINDS and its arguments. rate: OWN (recorded for this model
    and data, else searched for), SEARCH or ONE. Raises LabError before anything is started.
    """
    check_the_queue(owner)
    plan = planned(kind, settings, choices, rate, files)
    check_it_fits(owner, plan.expected, settings.model)
    told = {
        "kind": kind,
        "arms": [arm.as_json() for arm in plan.arms],
        "forecasts": plan.forecasts,
        "datasets": [{"data": data, **dataset.facts} for data, dataset in plan.datasets.items()],
        "together": plan.together,
        "rates": rate,
    }
    data = {
        "name": ", ".join(dataset.name for dataset in plan.datasets.values()),
        "fingerprint": next(iter(plan.datasets.values())).fingerprint,
    }

    def save(path: Path) -> None:
        for place, dataset in enumerate(plan.datasets.values()):
            dataset.save(path / str(place))

    run = folder.create(
        plan.common,
        owner,
        save,
        task=arms_on_disk.TASK,
        data=data,
        experiment=told,
        forecast=plan.expected,
    )
    return run.id


@dataclass(frozen=True)
class Plan:
    """An experiment before it is started. expected: {"memory_bytes", "seconds"} of the whole."""

    common: Settings
    arms: list[Arm]
    datasets: dict[str, Dataset]
    forecasts: list[dict[str, float]]
    together: bool
    expected: dict[str, Any]


def planned(
    kind: str,
    settings: Settings,
    choices: dict[str, Any],
    rate: str = OWN,
    files: Files | None = None,
) -> Plan:
    """What the experiment would be, and would take; reads and checks its data."""
    if rate not in RATES:
        raise LabError("no_such_rates", rate=str(rate)[:40], rates=", ".join(RATES))
    base = experiments.common(settings)
    arms = experiments.arms_of(kind, base, choices)
    told = [_with_rate(arm, base, kind, rate) for arm in arms]
    _check_steps(told, base)
    datasets = _datasets([arm.settings(base) for arm in told], files or {})
    readings = {data: guess(dataset, base.model) for data, dataset in datasets.items()}
    forecasts = []
    for arm in told:
        own = arm.settings(base)
        forecasts.append(forecast(own, readings[own.data]))
        if not own.learning_rate:
            forecasts[-1]["seconds"] *= 1 + SEARCHED
    together, memory = _side_by_side(told, base, forecasts)
    whole = {"memory_bytes": memory, "seconds": sum(each["seconds"] for each in forecasts)}
    whole["disk_bytes"] = _written(forecasts, together)
    return Plan(base, told, datasets, forecasts, together, whole)


def _check_steps(arms: list[Arm], common: Settings) -> None:
    """Raises LabError where the arms, and what is searched for them, take more steps than one run
    may."""
    every = [arm.settings(common) for arm in arms]
    steps = sum(own.steps * (1 if own.learning_rate else 1 + SEARCHED) for own in every)
    if steps > MOST_STEPS:
        raise LabError("too_many_steps", arms=len(arms), steps=round(steps), most=MOST_STEPS)


def _written(forecasts: list[dict[str, float]], together: bool) -> float:
    """Bytes on the disk at most: every arm's result, and the checkpoints of those at work."""
    checkpoints = [each["checkpoint_bytes"] for each in forecasts]
    results = sum(each["disk_bytes"] for each in forecasts) - sum(checkpoints)
    return results + (sum(checkpoints) if together else max(checkpoints))


def _with_rate(arm: Arm, common: Settings, kind: str, rate: str) -> Arm:
    """The arm with its learning rate, where none is set; 0 where it is to be searched for."""
    if "learning_rate" in arm.changes or common.learning_rate:
        return arm
    found = _rate(arm.settings(common), common, kind, rate)
    return replace(arm, changes={**arm.changes, "learning_rate": found})


def _rate(own: Settings, common: Settings, kind: str, rate: str) -> float:
    """Alpha and init are compared at one rate, the one that suits the common settings: a rate of
    its own for each alpha would undo what alpha does."""
    if kind in ("alpha", "init"):
        own = common
    if kind != "race":
        return _recorded_rate(own) or _usual_rate(own)
    if rate == ONE:  # the common rank's; full fine-tuning at it would only blow up
        return _usual_rate(common if own.method == common.method else own)
    return _recorded_rate(own) if rate == OWN else 0.0


def _usual_rate(settings: Settings) -> float:
    return rates.settled(settings, shapes.shapes(settings.model).small).learning_rate


def _recorded_rate(settings: Settings) -> float:
    """The best rate found for this model, data, targets and arm; 0 where nobody looked."""
    usual = Settings()
    if (settings.model, settings.batch_size) != (usual.model, usual.batch_size):
        return 0.0
    arm = str(settings.rank) if settings.method == "lora" else settings.method
    here = rates.recorded().get(settings.targets, {})
    return here.get(settings.data, {}).get(arm, 0.0)


def _datasets(settings: list[Settings], files: Files) -> dict[str, Dataset]:
    """Each dataset once, by what settings.data calls it; one too short to split is told."""
    found: dict[str, Dataset] = {}
    for each in settings:
        if each.data not in found:
            path, name = files.get(each.data, (None, None))
            found[each.data] = to_train_on(each, path, name)
    return found


def _side_by_side(
    arms: list[Arm], common: Settings, forecasts: list[dict[str, float]]
) -> tuple[bool, float]:
    """Whether all arms fit into memory at once, and the memory that the experiment then takes.

    Arms share a frozen base; each has its trained numbers, their gradient, AdamW's two means and
    the best so far, in float32, and (full fine-tuning) a copy of the base.
    """
    own = [STATE_BYTES * count(arm.settings(common))["trainable"] for arm in arms]
    memory = [each["memory_bytes"] for each in forecasts]
    largest = memory.index(max(memory))
    needed = memory[largest] + sum(own) - own[largest]
    if needed <= psutil.virtual_memory().available:
        return True, needed
    return False, memory[largest]


def experiment(run_id: str, owner: str) -> dict[str, Any]:
    """How an experiment of one's own stands: its run's config and state, its events' figures by
    arm, and the standings (standings.py). "preparing": the last progress event, before any arm."""
    run = folder.owned(run_id, owner)
    told = {**run.config, **run.status()}
    if "experiment" not in told:
        raise LabError("not_an_experiment", run=run_id)
    events = run.events()[0]
    progress = (event for event in reversed(events) if event["kind"] == "progress")
    told["preparing"] = next(progress, None)
    with contextlib.suppress(StopIteration):
        told["base_text_loss"] = next(e["loss"] for e in events if e["kind"] == "base_text")
    return {**told, **standings.standings(told, events)}


def shelve_arm(run_id: str, number: int, name: str, owner: str) -> str:
    """Copy the adapter of an arm that has ended to its owner's shelf; the new entry's id.

    Raises LabError where there is none, or it is a whole model (full fine-tuning's result).
    """
    run = folder.owned(run_id, owner)
    place = arms_on_disk.adapter_folder(run, number)
    if not (place / "adapter_config.json").is_file():
        raise LabError("no_adapter_yet", run=run_id)
    room.check(owner, room.size(place))
    copy = partial(shutil.copytree, place)
    model = run.settings.model
    made = entry.create(owner, copy, name=name[: entry.LONGEST_NAME], origin="race", model=model)
    return made.id
