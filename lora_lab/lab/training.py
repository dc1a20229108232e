"""Runs: started, stopped, resumed, deleted, and what they tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lora_lab.config import Settings
from lora_lab.data import tokenising
from lora_lab.errors import LabError
from lora_lab.lab.data import dataset_of, guess, table_of
from lora_lab.lab.planning import forecast
from lora_lab.models import shapes
from lora_lab.runs import folder, queue
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
    fit this machine, a queue that is full of one's own runs.
    """
    settings = settings.checked()
    check_the_queue(owner)
    dataset = dataset_of(table_of(settings, path, name), settings)
    tokenising.split(dataset, settings.heldout_share, settings.seed)
    settings = rates.settled(settings, shapes.shapes(settings.model).small)
    known = reading if reading and "mean_tokens" in reading else guess(dataset)
    expected = forecast(settings, known)
    forecasting.check_it_fits(expected)
    data: dict[str, Any] = {
        "name": dataset.name,
        "shape": dataset.shape,
        "fingerprint": dataset.fingerprint,
    }
    data |= {"rows": len(dataset.examples), "columns": dataset.columns}
    run = folder.create(settings, owner, dataset.save, data=data, forecast=expected)
    return run.id


def check_the_queue(owner: str) -> None:
    """Raises LabError where somebody's runs fill it."""
    waiting = sum(ticket.owner == owner for ticket in queue.look().waiting)
    if waiting >= MOST_WAITING:
        raise LabError("too_many_waiting", waiting=waiting)


def stop(run_id: str, owner: str) -> None:
    """Ask a run to stop within a step or two, or take it out of the queue."""
    run = folder.owned(run_id, owner)
    run.ask_to_stop()
    if run.status()["state"] == "queued":
        run.set_status("stopped")


def resume(run_id: str, owner: str) -> None:
    """Queue a stopped or failed run again; it goes on from its last checkpoint."""
    run = folder.owned(run_id, owner)
    if not run.resumable():
        raise LabError("run_not_resumable", run=run_id)
    run.forget_stop()
    run.set_status("queued")


def delete(run_id: str, owner: str) -> None:
    """Take a run and its adapter away for good, with what the shelf knows of it."""
    from lora_lab.shelf import entry

    folder.owned(run_id, owner).delete()
    entry.forget(run_id)


def runs(owner: str) -> list[dict[str, Any]]:
    """One's own runs, newest first."""
    return [_told(run) for run in folder.all_runs(owner)]


def run(run_id: str, owner: str) -> dict[str, Any]:
    """One run of one's own: its config, its state, and its result once it has one."""
    return _told(folder.owned(run_id, owner))


def events(run_id: str, owner: str, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """What happened in a run after byte offset, and the offset to ask from next."""
    return folder.owned(run_id, owner).events(offset)


def place_in_queue(run_id: str, owner: str) -> dict[str, Any] | None:
    """{"place": 1 for the next, "seconds": expected wait}; None when the run does not wait."""
    folder.owned(run_id, owner)
    now = queue.look()
    names = [ticket.run for ticket in now.waiting]
    if run_id not in names:
        return None
    before = [folder.find(name) for name in names[: names.index(run_id)]]
    seconds = sum(_seconds_left(each) for each in now.working + before)
    return {"place": len(before) + 1, "seconds": seconds}


def _seconds_left(run: folder.Run) -> float:
    trained = [event for event in run.events()[0] if event["kind"] == "train"]
    if trained and run.status()["state"] == "running":
        return trained[-1]["seconds_left"]
    return run.config["forecast"]["seconds"]


def _told(run: folder.Run) -> dict[str, Any]:
    facts = run.adapter / "lora_lab.json"
    return {**run.config, **run.status(), "result": run.result(), "adapter": facts.exists()}
