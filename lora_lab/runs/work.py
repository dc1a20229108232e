"""What a worker does with a run's folder, from its config to its adapter."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lora_lab.config import HELDOUT_ROWS, SAMPLE_TOKENS, Settings
from lora_lab.data import tokenising
from lora_lab.data.dataset import Dataset
from lora_lab.errors import LabError
from lora_lab.evaluation.forgetting import base_text_loss
from lora_lab.evaluation.generating import stream
from lora_lab.evaluation.heldout import heldout_loss
from lora_lab.lora import attaching
from lora_lab.models import catalogue, loading, shapes, sources
from lora_lab.runs.folder import Run
from lora_lab.training import checkpoint, loop, machine, methods
from lora_lab.training.methods import Method

OPENING_WORDS = 5
SAMPLE_TEMPERATURE = 0.7


@dataclass(frozen=True)
class Base:
    """The frozen model of a run, loaded. hash: of its weights in memory, before anything was put
    on it (a run's config tells the hash of its files, which is the same in every precision)."""

    model: nn.Module
    tokenizer: Any
    local: sources.Local
    hash: str

    @property
    def name(self) -> str:
        """What an adapter's config calls its base, for others to find it by."""
        known = catalogue.find(self.local.name)
        return known.hub_id if known and known.hub_id else str(self.local.folder)


@dataclass(frozen=True)
class Rows:
    """The run's data as tokens. opening: what the sample texts begin with."""

    train: list[tokenising.Encoded]
    heldout: list[tokenising.Encoded]
    opening: str
    asks: bool  # whether the opening asks for an answer or is to be continued


def work(run: Run) -> str:
    """Train run from where it stands; returns "done" or "stopped". Raises what goes wrong."""
    settings, resume = run.settings, checkpoint.load(run.checkpoints)
    run.cut_events(resume.progress.events_size if resume else 0)
    place = settle(run, settings)
    place.take()
    base = base_of(run, settings, place)
    rows = rows_of(run.data, base.tokenizer, settings)
    if not resume:
        tell_forgetting(run, base, 0)
    torch.manual_seed(settings.seed)  # what dropout draws from, until a checkpoint says otherwise
    method = methods.put(base.model, settings, base.tokenizer)
    job = loop.Job(base.model, method, rows.train, settings, torch.device(place.device))
    _tell_start(run, job, rows)
    outcome = loop.train(job, _watch(run, base, rows, method, settings, place), resume)
    method.set(outcome.adapter)
    tell_forgetting(run, base, outcome.progress.step)
    _keep(run, base, method, outcome)
    return outcome.state


def settle(run: Run, settings: Settings) -> machine.Place:
    """Settled at the first start; a resume keeps to it, for the sake of the last bits."""
    told = run.config.get("machine")
    small = shapes.shapes(settings.model).small
    place = machine.Place(**told) if told else machine.settle(settings, small)
    packages = ("torch", "transformers", "gradio", "safetensors")
    versions = {name: version(name) for name in packages} | {"python": platform.python_version()}
    run.note(machine=asdict(place), versions=versions)
    return place


def base_of(run: Run, settings: Settings, place: machine.Place) -> Base:
    """Fetched where it is not here yet, loaded, and held against the one the run began with."""
    local = sources.fetch(settings.model, partial(_tell_fetching, run))
    run.append("progress", phase="loading")
    files, first = loading.base_hash(local.folder), run.config.get("base")
    if first and first["hash"] != files:
        raise LabError("base_changed", source=first["source"])
    told = {"source": local.source, "hash": files, "folder": str(local.folder)}
    run.note(base={"model": settings.model, **told})
    model, tokenizer = loading.load(local, place.dtype)
    return Base(model.to(place.device), tokenizer, local, loading.base_hash(model))


def _tell_fetching(run: Run, progress: sources.Progress) -> None:
    run.append("progress", **asdict(progress))


def rows_of(data: Path, tokenizer: Any, settings: Settings) -> Rows:
    """data: the folder of a saved Dataset."""
    train, heldout = tokenising.split(Dataset.load(data), settings.heldout_share, settings.seed)
    heldout = heldout.of(heldout.examples[:HELDOUT_ROWS])
    return Rows(
        tokenising.encode(train, tokenizer, settings.max_length),
        tokenising.encode(heldout, tokenizer, settings.max_length)[:HELDOUT_ROWS],
        settings.sample_prompt or _opening(heldout.examples[0]),
        asks=heldout.shape in ("prompt", "chat"),
    )


def _opening(example: dict[str, Any]) -> str:
    """What a held-out example begins with, for a sample to go on from."""
    if "text" in example:
        return " ".join(example["text"].split(" ")[:OPENING_WORDS])
    if "prompt" in example:
        return example["prompt"]
    return next(turn["content"] for turn in example["messages"] if turn["role"] == "user")


def tell_forgetting(run: Run, base: Base, step: int) -> None:
    """The loss on the base's own kind of text, with what is on the base now."""
    run.append("base_text", step=step, loss=base_text_loss(base.model, base.tokenizer))


def _tell_start(run: Run, job: loop.Job, rows: Rows) -> None:
    run.append(
        "start",
        trainable=sum(p.numel() for p in job.method.parameters.values()),
        total=sum(tensor.numel() for tensor in _distinct(attaching.base_tensors(job.model))),
        rows=len(rows.train),
        heldout_rows=len(rows.heldout),
        cut_rows=sum(row.cut for row in rows.train),
        tokens=sum(len(row.ids) for row in rows.train),
        opening=rows.opening,
    )


def _distinct(tensors: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Each tensor once: a tied head is the embedding under a second name."""
    return list({tensor.data_ptr(): tensor for tensor in tensors.values()}.values())


def _watch(
    run: Run, base: Base, rows: Rows, method: Method, settings: Settings, place: machine.Place
) -> loop.Watch:
    return loop.Watch(
        event=run.append,
        heldout=partial(heldout_loss, base.model, rows.heldout),
        sample=partial(_sample, base, method, rows, settings.seed),
        save=partial(checkpoint.save, run.checkpoints),
        stop_asked=run.stop_asked,
        memory=partial(machine.peak_memory, place.device),
    )


def _sample(base: Base, method: Method, rows: Rows, seed: int) -> str:
    """What the adapter makes of the opening now; the same draws each time, so only it changes."""
    pieces = stream(
        base.model,
        base.tokenizer,
        method.routing,
        [rows.opening],
        [method.routing.whole if method.routing else None],
        SAMPLE_TOKENS,
        SAMPLE_TEMPERATURE,
        seed=seed,
        asks=rows.asks,
    )
    return "".join(piece.text for step in pieces for piece in step)


def _keep(run: Run, base: Base, method: Method, outcome: loop.Outcome) -> None:
    """Take the best adapter off, look that the base is what it was, and write all down.

    (Full fine-tuning has no base to give back, and the second hash says so.)
    """
    told = run.config
    save = method.take_off()
    result = _result(run, outcome, told["machine"]["device"])
    result |= {"base_hash_before": base.hash, "base_hash_after": loading.base_hash(base.model)}
    facts = {name: told[name] for name in ("id", "settings", "data", "base", "machine", "versions")}
    save(run.adapter, base.name, {**facts, "result": result})
    run.append("result", **result)


def _result(run: Run, outcome: loop.Outcome, device: str) -> dict[str, Any]:
    """What a run ends with: its cost, and its losses before and after in nats a token."""
    events, progress = run.events()[0], outcome.progress
    before = next(event["loss"] for event in events if event["kind"] == "heldout")
    forgetting = [event["loss"] for event in events if event["kind"] == "base_text"]
    return {
        "steps": progress.step,
        "seconds": progress.seconds,
        "tokens": progress.tokens,
        "tokens_per_second": progress.tokens / progress.stepping if progress.stepping else 0.0,
        "heldout_loss_before": before,
        "heldout_loss": progress.best_loss,
        "best_step": progress.best_step,
        "base_text_loss_before": forgetting[0],
        "base_text_loss": forgetting[-1],
        "peak_memory_bytes": machine.peak_memory(device),
    }
