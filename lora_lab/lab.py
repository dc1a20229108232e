"""The use cases: what the page, the command line and the API can do, one function each.

Plain data in and out. Nothing heavy is imported here: a function that needs torch or transformers
imports it inside, and the page calls those (they are generators, marked "heavy") in the warm
process, never in its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lora_lab.config import Settings, from_json
from lora_lab.data import reading, samples, shaping, tokenising
from lora_lab.data.dataset import Dataset
from lora_lab.errors import LabError
from lora_lab.lora import counting
from lora_lab.models import catalogue, shapes
from lora_lab.runs import folder, queue
# from lora_lab.training import forecast as forecasting

MOST_WAITING = 20  # runs one person may have in the queue
# What the warm process may be asked for.
HEAVY = ("preview", "describe", "fetch", "compare", "evaluate")


# What there is


def models() -> list[dict[str, Any]]:
    """The catalogue, with whether each model is on this machine already."""
    return [
        {**asdict(model), "good_for": model.good_for, "here": shapes.is_here(model.name)}
        for model in catalogue.CATALOGUE
    ]


def sample_datasets() -> list[dict[str, Any]]:
    """The datasets in the box."""
    return [asdict(sample) for sample in samples.samples()]


# Before training


def count(settings: Settings) -> dict[str, Any]:
    """{"trainable", "total", "percent", "adapter_bytes"}: arithmetic on the model's shapes."""
    known = shapes.shapes(settings.model)
    sizes = known.sizes()
    trainable = counting.trainable(sizes, settings.targets, settings.rank)
    return {
        "model": settings.model,
        "trainable": trainable,
        "total": known.total,
        "percent": 100 * trainable / known.total,
        "adapter_bytes": counting.adapter_bytes(sizes, settings.targets, settings.rank),
    }


def forecast(settings: Settings, reading: dict[str, Any] | None = None) -> dict[str, Any]:
    """{"seconds", "memory_bytes", …}, before anything is loaded.

    reading: what preview told of the rows ("mean_tokens", "supervised_share", "heldout_rows");
    without it, rows are taken to be half of the longest allowed.
    """
    return forecasting.forecast(shapes.shapes(settings.model), settings, reading)


def check(settings: Settings, path: Path | None = None, name: str | None = None) -> dict[str, Any]:
    """Read and shape the data without any model; every fault in it is a LabError.

    path, name: an uploaded file and what the person calls it; without, settings.data is meant.
    """
    table = _table(settings, path, name)
    dataset = _dataset(table, settings)
    return {
        "name": dataset.name,
        "shape": dataset.shape,
        "columns": dataset.columns,
        "all_columns": table.columns,
        "rows": len(dataset.examples),
        "fingerprint": dataset.fingerprint,
        "examples": dataset.examples[:3],
    }


def preview(
    settings: dict[str, Any], path: str | None = None, name: str | None = None, examples: int = 3
) -> Iterator[dict[str, Any]]:
    """Heavy. What the model will see, token by token: one {"kind": "preview", …}.

    A model that is not on this machine gives {"kind": "not_here", "size_bytes"} instead.
    """
    from lora_lab.data import tokenising
    from lora_lab.models import loading, sources

    chosen = from_json(settings)
    dataset = _dataset(_table(chosen, Path(path) if path else None, name), chosen)
    if not shapes.is_here(chosen.model):
        model = catalogue.find(chosen.model)
        yield {"kind": "not_here", "size_bytes": model.size_bytes if model else None}
        return
    tokenizer = loading.tokenizer(sources.fetch(chosen.model))
    told = tokenising.preview(dataset, tokenizer, chosen, examples)
    yield {"kind": "preview", **told}


def describe(model: str) -> Iterator[dict[str, Any]]:
    """Heavy. Make a model known that is not in the catalogue: its shapes, without its weights."""
    from lora_lab.models import measuring

    yield {"kind": "shapes", **measuring.describe(model)}


def fetch(model: str) -> Iterator[dict[str, Any]]:
    """Heavy. Bring a model to this machine; {"kind": "progress", …} on the way."""
    from lora_lab.runs import fetching

    yield from fetching.fetch(model)


# Training


def start(
    settings: Settings, owner: str, path: Path | None = None, name: str | None = None
) -> str:
    """Check everything that can be checked, queue a run, and return its id.

    Raises LabError before anything is started: faulty data, a model that is unknown or does not
    fit this machine, a queue that is full of one's own runs.
    """
    settings = settings.checked()
    waiting = sum(ticket.owner == owner for ticket in queue.look().waiting)
    if waiting >= MOST_WAITING:
        raise LabError("too_many_waiting", waiting=waiting)
    dataset = _dataset(_table(settings, path, name), settings)
    tokenising.split(dataset, settings.heldout_share, settings.seed)  # too short is said now
    expected = {"seconds": 1.0}
    # forecasting.check_it_fits(expected)
    data = {"name": dataset.name, "shape": dataset.shape, "fingerprint": dataset.fingerprint}
    data |= {"rows": len(dataset.examples), "columns": dataset.columns}
    run = folder.create(settings, owner, dataset.save, data=data, forecast=expected)
    return run.id


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
    """Take a run and its adapter away for good."""
    folder.owned(run_id, owner).delete()


# What runs tell


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


# After training


def compare(
    model: str,
    adapters: list[tuple[str, float]],
    prompts: list[str],
    **choices: Any,
) -> Iterator[dict[str, Any]]:
    """Heavy. Base and adapters answer in step; see evaluation.comparing.compare."""
    from lora_lab.evaluation import comparing

    yield from comparing.compare(model, [(Path(f), s) for f, s in adapters], prompts, **choices)


# Data


def _table(settings: Settings, path: Path | None, name: str | None) -> reading.Table:
    if path is not None:
        return reading.read(path, name)
    return reading.read(samples.resolve(settings.data))


def _dataset(table: reading.Table, settings: Settings) -> Dataset:
    return shaping.shape(table, settings)
