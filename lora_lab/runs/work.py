"""What a worker does with a run's folder, from its config to its adapter."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any

import torch
from torch import nn

from lora_lab.config import HELDOUT_ROWS, SAMPLE_TOKENS, Settings
from lora_lab.data import tokenising
from lora_lab.data.dataset import Dataset
from lora_lab.errors import LabError
from lora_lab.evaluation.generating import stream
from lora_lab.evaluation.heldout import heldout_loss
from lora_lab.lora import attaching, peft_format, targets
from lora_lab.lora.layer import Routing, is_matrix
from lora_lab.models import catalogue, loading, shapes, sources
from lora_lab.runs.folder import Run
from lora_lab.training import checkpoint, loop, machine

ADAPTER = "adapter"  # its name while it is attached
OPENING_WORDS = 5
# The rates taken where a person chose none. A width of 128 wants ten times what a width of 576
# bears: benchmarks/defaults.py finds 0.02 best of four on the model in the box.
RATE_OF_A_SMALL_MODEL, RATE = 2e-2, 2e-3
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
    settings, resume = _settled(run.settings), checkpoint.load(run.checkpoints)
    run.cut_events(resume.progress.events_size if resume else 0)
    place = _place(run, settings)
    torch.set_num_threads(place.threads)
    base = _base(run, settings, place)
    rows = _rows(run, base.tokenizer, settings)
    torch.manual_seed(settings.seed)  # what dropout draws from, until a checkpoint says otherwise
    paths = targets.resolve(settings.targets, matrices(base.model))
    routing = attaching.attach(
        base.model, ADAPTER, paths, settings.rank, settings.alpha, settings.dropout, settings.seed
    )
    job = loop.Job(
        base.model, trained(base.model), rows.train, settings, torch.device(place.device)
    )
    _tell_start(run, job, rows)
    outcome = loop.train(job, _watch(run, base, rows, routing, settings, place), resume)
    _keep(run, base, outcome)
    return outcome.state


def matrices(model: nn.Module) -> list[str]:
    """The full paths of the model's matrices, in its own order."""
    return [path for path, module in model.named_modules() if is_matrix(module)]


def trained(model: nn.Module) -> dict[str, nn.Parameter]:
    """The adapter's parameters by the names under which a checkpoint keeps them."""
    names = attaching.state(model, ADAPTER)
    return dict(zip(names, attaching.trainable_parameters(model, ADAPTER), strict=True))


def _settled(settings: Settings) -> Settings:
    """With a learning rate, where the person left that to the lab."""
    small = shapes.shapes(settings.model).small
    return replace(
        settings, learning_rate=settings.learning_rate or (RATE_OF_A_SMALL_MODEL if small else RATE)
    )


def _place(run: Run, settings: Settings) -> machine.Place:
    """Settled at the first start; a resume keeps to it, for the sake of the last bits."""
    told = run.config.get("machine")
    small = shapes.shapes(settings.model).small
    place = machine.Place(**told) if told else machine.settle(settings, small)
    packages = ("torch", "transformers", "gradio", "safetensors")
    versions = {name: version(name) for name in packages} | {"python": platform.python_version()}
    run.note(machine=asdict(place), versions=versions)
    return place


def _base(run: Run, settings: Settings, place: machine.Place) -> Base:
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


def _rows(run: Run, tokenizer: Any, settings: Settings) -> Rows:
    train, heldout = tokenising.split(Dataset.load(run.data), settings.heldout_share, settings.seed)
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


def _tell_start(run: Run, job: loop.Job, rows: Rows) -> None:
    run.append(
        "start",
        trainable=sum(p.numel() for p in job.trained.values()),
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
    run: Run, base: Base, rows: Rows, routing: Routing, settings: Settings, place: machine.Place
) -> loop.Watch:
    return loop.Watch(
        event=run.append,
        heldout=partial(heldout_loss, base.model, rows.heldout),
        sample=partial(_sample, base, routing, rows, settings.seed),
        save=partial(checkpoint.save, run.checkpoints),
        stop_asked=run.stop_asked,
        memory=partial(machine.peak_memory, place.device),
    )


def _sample(base: Base, routing: Routing, rows: Rows, seed: int) -> str:
    """What the adapter makes of the opening now; the same draws each time, so only it changes."""
    pieces = stream(
        base.model,
        base.tokenizer,
        routing,
        [rows.opening],
        [(ADAPTER, 1.0)],
        SAMPLE_TOKENS,
        SAMPLE_TEMPERATURE,
        seed=seed,
        asks=rows.asks,
    )
    return "".join(piece.text for step in pieces for piece in step)


def _keep(run: Run, base: Base, outcome: loop.Outcome) -> None:
    """Write the best adapter down, take it off, and look that the base is what it was."""
    attaching.set_state(base.model, ADAPTER, outcome.adapter)
    adapter = attaching.extract(base.model, ADAPTER)
    attaching.detach(base.model)
    after = loading.base_hash(base.model)
    told = run.config
    losses = [event["loss"] for event in run.events()[0] if event["kind"] == "heldout"]
    progress = outcome.progress
    result = {
        "steps": progress.step,
        "seconds": progress.seconds,
        "tokens": progress.tokens,
        "tokens_per_second": progress.tokens / progress.stepping if progress.stepping else 0.0,
        "heldout_loss_before": losses[0],
        "heldout_loss": progress.best_loss,
        "best_step": progress.best_step,
        "peak_memory_bytes": machine.peak_memory(told["machine"]["device"]),
        "base_hash_before": base.hash,
        "base_hash_after": after,
    }
    facts = {name: told[name] for name in ("id", "settings", "data", "base", "machine", "versions")}
    peft_format.save(run.adapter, adapter, base.name, {**facts, "result": result})
    run.append("result", **result)
