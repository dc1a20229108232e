"""The use cases: what the page, the command line and the API can do, one function each.

Plain data in and out. Nothing heavy is imported here: a function that needs torch or transformers
imports it inside, and the page calls those (they are generators, marked "heavy") in the warm
process, never in its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lora_lab.config import HELDOUT_ROWS, Settings, from_json
from lora_lab.data import reading, samples, shaping, tokenising
from lora_lab.data.dataset import Dataset
from lora_lab.errors import LabError
from lora_lab.lora import counting, targets
from lora_lab.models import catalogue, shapes, sources
from lora_lab.runs import folder, queue
from lora_lab.training import forecast as forecasting
from lora_lab.training import speed

MOST_WAITING = 20  # runs one person may have in the queue
# What the warm process may be asked for.
HEAVY = ("preview", "describe", "fetch", "compare", "evaluate")


# What there is


def models() -> list[dict[str, Any]]:
    """The catalogue, with whether each model is on this machine already."""
    return [
        {**asdict(model), "good_for": model.good_for, "here": sources.is_here(model.name)}
        for model in catalogue.CATALOGUE
    ]


def sample_datasets() -> list[dict[str, Any]]:
    """The datasets in the box."""
    return [asdict(sample) for sample in samples.samples()]


# Before training


def count(settings: Settings) -> dict[str, Any]:
    """Arithmetic on the model's shapes: {"trainable", "total", "percent", "adapter_bytes",
    "matrices": how many are adapted, "matrix": the first of them, "path" and sizes}."""
    known = shapes.shapes(settings.model)
    sizes = known.sizes()
    chosen = targets.resolve(settings.targets, sizes)
    trainable = counting.trainable(sizes, settings.targets, settings.rank)
    inputs, outputs = sizes[chosen[0]]
    return {
        "model": settings.model,
        "trainable": trainable,
        "total": known.total,
        "percent": 100 * trainable / known.total,
        "adapter_bytes": counting.adapter_bytes(sizes, settings.targets, settings.rank),
        "matrices": len(chosen),
        "matrix": {"path": chosen[0], "in_features": inputs, "out_features": outputs},
    }


def forecast(settings: Settings, reading: dict[str, Any] | None = None) -> dict[str, Any]:
    """{"memory_bytes", "seconds", "seconds_a_step"}, before anything is loaded.

    reading: "mean_tokens", "supervised_share" and "heldout_rows", as preview tells them; without
    it, rows are taken to be half of the longest allowed.
    """
    told = {"mean_tokens": settings.max_length / 2} | (reading or {})
    known = forecasting.Reading(
        mean_tokens=_within(told["mean_tokens"], 1, settings.max_length),
        supervised_share=_within(told.get("supervised_share", 1.0), 0, 1),
        heldout_rows=round(_within(told.get("heldout_rows", HELDOUT_ROWS), 1, HELDOUT_ROWS)),
    )
    return forecasting.forecast(shapes.shapes(settings.model), settings, known, speed.known())


def _within(told: Any, low: float, high: float) -> float:
    """A page tells what it likes: a number between low and high, or high."""
    usable = isinstance(told, (int, float)) and math.isfinite(told)
    return min(max(float(told), low), high) if usable else high


def check(settings: Settings, path: Path | None = None, name: str | None = None) -> dict[str, Any]:
    """Read and shape the data without any model; every fault in it is a LabError.

    path, name: an uploaded file and what the person calls it; without, settings.data is meant.
    """
    table = _table(settings, path, name)
    dataset = _dataset(table, settings)
    tokenising.split(dataset, settings.heldout_share, settings.seed)  # what is too short is told
    return {
        "name": dataset.name,
        "shape": dataset.shape,
        "delimiter": table.delimiter,
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
    from lora_lab.data import previewing
    from lora_lab.models import loading

    chosen = from_json(settings)
    dataset = _dataset(_table(chosen, Path(path) if path else None, name), chosen)
    if not sources.is_here(chosen.model):
        model = catalogue.find(chosen.model)
        yield {"kind": "not_here", "size_bytes": model.size_bytes if model else None}
        return
    tokenizer = loading.tokenizer(sources.fetch(chosen.model))
    told = previewing.preview(dataset, tokenizer, chosen, examples)
    yield {"kind": "preview", **told}


def describe(model: str) -> Iterator[dict[str, Any]]:
    """Heavy. Make a model known that is not in the catalogue: its shapes, without its weights."""
    from lora_lab.models import measuring

    yield {"kind": "shapes", **measuring.describe(model).as_json()}


def fetch(model: str) -> Iterator[dict[str, Any]]:
    """Heavy. Bring a model to this machine; {"kind": "progress", …} on the way."""
    from lora_lab.runs.fetching import fetched

    for progress in fetched(model):
        yield {"kind": "progress", **asdict(progress)}


# Training


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
    waiting = sum(ticket.owner == owner for ticket in queue.look().waiting)
    if waiting >= MOST_WAITING:
        raise LabError("too_many_waiting", waiting=waiting)
    dataset = _dataset(_table(settings, path, name), settings)
    tokenising.split(dataset, settings.heldout_share, settings.seed)
    known = reading if reading and "mean_tokens" in reading else _guess(dataset)
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
    machine: dict[str, Any] | None = None,
    **choices: Any,
) -> Iterator[dict[str, Any]]:
    """Heavy. Base and adapters answer in step; see evaluation.comparing.compare.

    adapters: folder and strength. machine: settings of that group, where not the usual ones.
    choices: max_new_tokens, temperature, top_p, seed, system, measure.
    """
    from lora_lab.evaluation import comparing
    from lora_lab.runs import texts

    folders = [(Path(adapter), strength) for adapter, strength in adapters]
    heldout = texts.heldout([adapter for adapter, _ in folders])
    yield from fetch(model)
    place = _place(from_json((machine or {}) | {"model": model}))
    yield from comparing.compare(model, folders, prompts, heldout, place, **choices)


def evaluate(
    settings: dict[str, Any], adapters: list[tuple[str, float]], path: str | None = None
) -> Iterator[dict[str, Any]]:
    """Heavy. The loss of base and adapters on a whole data file; see evaluation.comparing."""
    from lora_lab.evaluation import comparing

    chosen = from_json(settings)
    dataset = _dataset(_table(chosen, Path(path) if path else None, None), chosen)
    text = comparing.Text(dataset, chosen.max_length, most=None)
    yield from fetch(chosen.model)
    place = _place(chosen)
    folders = [(Path(adapter), strength) for adapter, strength in adapters]
    yield from comparing.evaluate(chosen.model, folders, [text], place)


def _place(chosen: Settings) -> Any:
    """Where to compute, as comparing takes it; this process's threads are set on the way."""
    import torch

    from lora_lab.evaluation.comparing import Place
    from lora_lab.models import measuring
    from lora_lab.training import machine

    settled = machine.settle(chosen, measuring.describe(chosen.model).small)
    torch.set_num_threads(settled.threads)
    return Place(settled.device, settled.precision)


# Data


def _table(settings: Settings, path: Path | None, name: str | None) -> reading.Table:
    if path is not None:
        return reading.read(path, name)
    return reading.read(samples.resolve(settings.data))


def _guess(dataset: Dataset) -> dict[str, Any]:
    """A reading without a tokenizer: four characters a token, as in English."""
    characters = sum(len(str(example)) for example in dataset.examples)
    return {"mean_tokens": max(1.0, characters / 4 / len(dataset.examples))}


def _dataset(table: reading.Table, settings: Settings) -> Dataset:
    return shaping.shape(table, settings)
