"""What each verb does: parsed flags in, one JSON-able answer out, progress told on the way."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from lora_lab import lab
from lora_lab.cli import flags, naming, shelf
from lora_lab.cli import ladder as race
from lora_lab.cli.foreground import Answer, Event, Tell, by_kind, follow, last, without_kind
from lora_lab.cli.naming import OWNER
from lora_lab.config import Sampling, Settings
from lora_lab.errors import LabError
from lora_lab.runs import folder

T = TypeVar("T")
Columns = list[str | None]  # adapters as they were named, behind None: the base


def models(told: argparse.Namespace, tell: Tell) -> Answer:
    return {"models": lab.models()}


def count(told: argparse.Namespace, tell: Tell) -> Answer:
    settings = flags.settings(told)
    return _with_shapes(settings.model, lambda: lab.count(settings), tell)


def train(told: argparse.Namespace, tell: Tell) -> Answer:
    settings = flags.settings(told)
    naming.check_out(told.out)
    run_id = _with_shapes(settings.model, lambda: lab.start(settings, OWNER), tell)
    return _to_its_end(run_id, told.out, tell)


def resume(told: argparse.Namespace, tell: Tell) -> Answer:
    naming.check_out(told.out)
    run = folder.find(told.run)
    lab.resume(run.id, run.owner)
    if "experiment" in run.config:
        return race.answer(run.id, tell)  # its adapters stay where they are: one for each arm
    return _to_its_end(run.id, told.out, tell)


def stop(told: argparse.Namespace, tell: Tell) -> Answer:
    run = folder.find(told.run)
    lab.stop(run.id, run.owner)
    return {"run": run.id, "state": run.status()["state"]}


def runs(told: argparse.Namespace, tell: Tell) -> Answer:
    """Everybody's: whoever has a shell on the machine can read the folders anyway."""
    return {"runs": [lab.run(run.id, run.owner) for run in folder.all_runs()]}


def compare(told: argparse.Namespace, tell: Tell) -> Answer:
    settings, adapters = _on_its_base(told)
    events = lab.compare(
        settings.model,
        _chosen(adapters),
        told.prompt,
        asdict(settings),
        system=told.system,
        **flags.of_kind(Sampling, told),
    )
    columns: Columns = [None, *adapters]
    texts = [["" for _ in columns] for _ in told.prompt]
    came = by_kind(events, tell)
    for step in came["pieces"]:
        for piece in step["pieces"]:
            texts[piece["prompt"]][piece["column"]] += piece["text"]
    figures = came["figures"][-1]
    return {
        "model": settings.model,
        "seed": told.seed,
        "prompts": [
            {"prompt": prompt, **_by_adapter(row, columns)}
            for prompt, row in zip(told.prompt, texts, strict=True)
        ],
        "ms_per_token": _by_adapter(figures["ms_per_token"], columns),
        "heldout": [_losses(text, columns) for text in figures["heldout"]],
        "base_text": _losses(figures["base_text"], columns),
        "warnings": _warnings(came["warning"], columns),
        "seconds": came["end"][-1]["seconds"],
    }


def evaluate(told: argparse.Namespace, tell: Tell) -> Answer:
    settings, adapters = _on_its_base(told)
    columns: Columns = [None, *adapters]
    came = by_kind(lab.evaluate(asdict(settings), _chosen(adapters)), tell)
    losses = _losses(came["figures"][-1]["heldout"][0], columns)
    warnings = _warnings(came["warning"], columns)
    return {"model": settings.model, "warnings": warnings, **losses}


def factorise(told: argparse.Namespace, tell: Tell) -> Answer:
    sources = (told.file, told.shape, told.weight, told.targets)
    if sum(source is not None for source in sources) != 1:
        raise LabError("nothing_to_factorise")
    if told.file is not None:
        return lab.factorise(lab.matrix_of_file(told.file), told.rank)
    if told.shape is not None:
        return lab.factorise(lab.matrix_of_shape(told.shape), told.rank)
    if told.weight is not None:
        return last(lab.factorise_weight(told.model, told.weight, told.rank), tell)
    return _cut(told, tell)


def _cut(told: argparse.Namespace, tell: Tell) -> Answer:
    """W0 itself at that rank, put back into the model, beside adapters."""
    folders = [naming.adapter(name) for name in told.adapter]
    model = naming.base(told.model, folders)
    names = [str(folder) for folder in folders]
    came = by_kind(lab.cut_base(model, told.targets, [told.rank], names, told.data), tell)
    (base,), (cut,) = came["base"], came["cut"]
    return {
        "model": model,
        "targets": told.targets,
        "original": base["original"],
        **{name: cut[name] for name in ("rank", "kept", "relative_error", "loss")},
        "base_loss": base["loss"],
        "data": base["data"],
        "adapters": [
            {"adapter": told.adapter[each.pop("place")], **without_kind(each)}
            for each in came["adapter"]
        ],
    }


def spectrum(told: argparse.Namespace, tell: Tell) -> Answer:
    adapter = str(naming.adapter(told.adapter))
    other = str(naming.adapter(told.other)) if told.other else None
    found = last(lab.spectrum(adapter, other, told.model), tell)
    answer = {"adapter": told.adapter, "other": told.other, **found}
    if told.compress:
        model = lab.base_of(adapter, told.model or "")
        came = by_kind(lab.compress(model, adapter, data=told.data), tell)
        (base,), compressed = came["base"], came["compressed"]
        answer |= {"data": base["data"], "base_loss": base["loss"]}
        answer["compressed"] = [without_kind(each) for each in compressed]
    return answer


def ladder(told: argparse.Namespace, tell: Tell) -> Answer:
    settings = flags.settings(told)
    run_id = _with_shapes(settings.model, lambda: race.start(told, settings, OWNER), tell)
    return race.answer(run_id, tell)


VERBS: dict[str, Callable[[argparse.Namespace, Tell], Answer]] = {
    "models": models,
    "count": count,
    "train": train,
    "resume": resume,
    "stop": stop,
    "runs": runs,
    "compare": compare,
    "evaluate": evaluate,
    "factorise": factorise,
    "spectrum": spectrum,
    "ladder": ladder,
    "adapters": shelf.adapters,
    "merge": shelf.merge,
}


def _on_its_base(told: argparse.Namespace) -> tuple[Settings, dict[str, tuple[Path, float]]]:
    """The settings and the adapters; the model is the adapters' own where none was named."""
    settings, adapters = flags.settings(told), naming.adapters(told.adapter)
    folders = [path for path, _ in adapters.values()]
    return replace(settings, model=naming.base(settings.model, folders)), adapters


def _chosen(adapters: dict[str, tuple[Path, float]]) -> list[tuple[str, float]]:
    """Folder and strength of each, as lab takes them."""
    return [(str(folder), strength) for folder, strength in adapters.values()]


def _with_shapes(model: str, use: Callable[[], T], tell: Tell) -> T:
    """What use gives; a model whose sizes it does not find is looked at first."""
    try:
        return use()
    except LabError as error:
        if error.key != "shapes_unknown":
            raise
    for event in lab.describe(model):
        tell(event)
    return use()


def _to_its_end(run_id: str, out: Path | None, tell: Tell) -> Answer:
    """Train in this process, then say what became of it."""
    run = folder.find(run_id)
    follow(run, tell)
    status = run.status()
    if status["error"]:
        raise LabError.from_json(status["error"])
    events = run.events()[0]
    losses = [event["loss"] for event in events if event["kind"] == "train"]
    start = next(event for event in events if event["kind"] == "start")
    if out:
        shutil.copytree(run.adapter, out, dirs_exist_ok=True)
    return {
        "run": run.id,
        "state": status["state"],
        "adapter": str((out or run.adapter).absolute()),
        "base_folder": run.config["base"]["folder"],
        "trainable": start["trainable"],
        "first_loss": losses[0] if losses else None,
        "last_loss": losses[-1] if losses else None,
        **(run.result() or {}),
    }


def _by_adapter(values: list[Any], columns: Columns) -> dict[str, Any]:
    """{"base": the first, "adapted": the others by adapter}."""
    base, *others = values
    return {"base": base, "adapted": dict(zip(columns[1:], others, strict=True))}


def _losses(text: dict[str, Any], columns: Columns) -> dict[str, Any]:
    losses = _by_adapter(text["losses"], columns)
    return {"data": text["name"], "rows": text["rows"], **losses}


def _warnings(events: list[Event], columns: Columns) -> list[dict[str, Any]]:
    return [
        {"adapter": columns[event["column"]], "key": event["key"], "facts": event["facts"]}
        for event in events
    ]
