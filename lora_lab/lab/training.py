"""Runs: started, stopped, resumed, deleted, and what they tell."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lora_lab.config import Settings
from lora_lab.errors import LabError
from lora_lab.lab.data import guess, to_train_on
from lora_lab.lab.planning import download_bytes, forecast
from lora_lab.models import shapes
from lora_lab.runs import folder, queue, staging
from lora_lab.shelf import entry, room
from lora_lab.training import forecast as forecasting
from lora_lab.training import rates

MOST_WAITING = 20  # runs one person may have in the queue


def start(
    settings: Settings,
    owner: str,
    path: Path | None = None,
    name: str | None = None,
    reading: dict[str, Any] | None = None,
) -> str:
    """Check everything that can be checked, queue a run, and return its id.

    path, name: an uploaded file and what its owner calls it; without, settings.data is meant.
    reading: as for forecast; without it the rows' tokens are guessed from their characters.
    Raises LabError before anything is started: faulty data, a model that is unknown or does not
    fit this machine, a disk or a queue that is full of one's own runs.
    """
    check_the_queue(owner)
    return prepared(settings, owner, path, name, reading)().id


def prepared(
    settings: Settings,
    owner: str,
    path: Path | None = None,
    name: str | None = None,
    reading: dict[str, Any] | None = None,
) -> Callable[[], folder.Run]:
    """What queues the run of `start`, everything but the queue checked."""
    settings = settings.checked()
    dataset = to_train_on(settings, path, name)
    settings = rates.settled(settings, shapes.shapes(settings.model).small)
    known = reading if reading and "mean_tokens" in reading else guess(dataset, settings.model)
    expected = forecast(settings, known)
    expected["disk_bytes"] += path.stat().st_size if path else 0
    check_it_fits(owner, expected, settings.model)
    return partial(
        folder.create, settings, owner, dataset.save, data=dataset.facts, forecast=expected
    )


def check_the_queue(owner: str, more: int = 1) -> None:
    """Raises LabError where somebody's runs would fill it with so many more."""
    waiting = sum(ticket.owner == owner for ticket in queue.look().waiting)
    if waiting + more > MOST_WAITING:
        raise LabError("too_many_waiting", waiting=waiting)


def check_it_fits(owner: str, expected: dict[str, Any], model: str) -> None:
    """Raises LabError where memory or disk is short of what a run is expected to take, its model's
    download included."""
    forecasting.check_it_fits(expected)
    room.check(owner, expected.get("disk_bytes", 0) + download_bytes(model))


def stop(run_id: str, owner: str) -> None:
    """Ask a run to stop within a step or two, or take it out of the queue."""
    run = folder.owned(run_id, owner)
    run.ask_to_stop()
    run.take_out()


def resume(run_id: str, owner: str) -> None:
    """Queue a stopped or failed run again; it goes on from its last checkpoint."""
    run = folder.owned(run_id, owner)
    check_the_queue(owner)
    check_it_fits(owner, run.config["forecast"], run.settings.model)
    run.requeue()


def delete(run_id: str, owner: str) -> None:
    """Take a run and its adapter away for good, with what the shelf knows of it."""
    folder.owned(run_id, owner).delete()
    entry.forget(run_id)


def tidy() -> None:
    """Take away what processes that were killed left half made."""
    for place in (folder.folder(), entry.folder()):
        staging.sweep(place)


def runs(owner: str) -> list[dict[str, Any]]:
    """One's own runs, newest first."""
    return list(folder.still_there(folder.all_runs(owner), _told))


def run(run_id: str, owner: str) -> dict[str, Any]:
    """One run of one's own: its config, its state, and its result once it has one."""
    return _told(folder.owned(run_id, owner))


def events(run_id: str, owner: str, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """What happened in a run after byte offset, and the offset to ask from next."""
    return folder.owned(run_id, owner).events(offset)


def place_in_queue(run_id: str, owner: str) -> dict[str, Any] | None:
    """{"place": 1 for the next, "seconds": expected wait}; None when the run does not wait."""
    if folder.owned(run_id, owner).status()["state"] != "queued":
        return None  # asked every second by every page: the others' folders are not looked through
    now = queue.look()
    names = [ticket.run for ticket in now.waiting]
    if run_id not in names:
        return None
    before = [folder.Run(folder.folder() / name) for name in names[: names.index(run_id)]]
    seconds = sum(folder.still_there(now.working + before, _seconds_left))
    return {"place": len(before) + 1, "seconds": seconds}


def _seconds_left(run: folder.Run) -> float:
    trained = [event for event in run.events()[0] if event["kind"] in ("train", "round")]
    if trained and run.status()["state"] == "running":
        return trained[-1]["seconds_left"]
    return run.config["forecast"]["seconds"]


def _told(run: folder.Run) -> dict[str, Any]:
    facts = run.adapter / "lora_lab.json"
    return {**run.config, **run.status(), "result": run.result(), "adapter": facts.exists()}
