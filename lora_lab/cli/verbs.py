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
from lora_lab.cli.foreground import follow
from lora_lab.config import Settings
from lora_lab.errors import LabError
from lora_lab.runs import folder

OWNER = "command-line"
Answer = dict[str, Any]
T = TypeVar("T")
Tell = Callable[[dict[str, Any]], None]  # shows an event to whoever waits


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
    names = ("device", "precision", "threads")
    sampling = ("max_new_tokens", "temperature", "top_p", "seed", "system")
    events = lab.compare(
        settings.model,
        [(str(path), strength) for path, strength in adapters.values()],
        told.prompt,
        {name: getattr(settings, name) for name in names},
        **{name: getattr(told, name) for name in sampling},
    )
    columns = [None, *adapters]
    texts = [["" for _ in columns] for _ in told.prompt]
    figures: dict[str, Any] = {"ms_per_token": None, "heldout": [], "base_text": None}
    warnings, seconds = [], 0.0
    for event in events:
        tell(event)
        for piece in event.get("pieces", ()):
            texts[piece["prompt"]][piece["column"]] += piece["text"]
        if event["kind"] == "figures":
            figures = event
        if event["kind"] == "warning":
            warnings.append({"adapter": columns[event["column"]], **_said(event)})
        seconds = event.get("seconds", seconds)
    return {
        "model": settings.model,
        "seed": told.seed,
        "prompts": [
            {"prompt": prompt, **_by_adapter(row, columns)}
            for prompt, row in zip(told.prompt, texts, strict=True)
        ],
        "ms_per_token": _by_adapter(figures["ms_per_token"], columns),
        "heldout": [_losses(text, columns) for text in figures["heldout"]],
        "base_text": figures["base_text"] and _losses(figures["base_text"], columns),
        "warnings": warnings,
        "seconds": seconds,
    }


def evaluate(told: argparse.Namespace, tell: Tell) -> Answer:
    settings, adapters = _on_its_base(told)
    columns = [None, *adapters]
    chosen = [(str(path), strength) for path, strength in adapters.values()]
    answer: Answer = {"model": settings.model, "warnings": []}
    for event in lab.evaluate(asdict(settings), chosen):
        tell(event)
        if event["kind"] == "figures":
            answer.update(_losses(event["heldout"][0], columns))
        if event["kind"] == "warning":
            answer["warnings"].append({"adapter": columns[event["column"]], **_said(event)})
    return answer


def factorise(told: argparse.Namespace, tell: Tell) -> Answer:
    given = [source for source in (told.file, told.shape, told.weight) if source is not None]
    if len(given) != 1:
        raise LabError("nothing_to_factorise")
    if told.file or told.shape:
        matrix = lab.matrix_of_file(told.file) if told.file else lab.matrix_of_shape(told.shape)
        return lab.factorise(matrix, told.rank)
    *before, factorised = lab.factorise_weight(told.model, told.weight, told.rank)
    for event in before:
        tell(event)
    return {name: value for name, value in factorised.items() if name != "kind"}


def spectrum(told: argparse.Namespace, tell: Tell) -> Answer:
    other = str(naming.adapter(told.other)) if told.other else None
    events = lab.spectrum(str(naming.adapter(told.adapter)), other, told.model)
    *before, found = events
    for event in before:
        tell(event)
    found.pop("kind")
    return {"adapter": told.adapter, "other": told.other, **found}


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


def _by_adapter(values: list[Any] | None, columns: list[str | None]) -> dict[str, Any]:
    """{"base": the first, "adapted": the others by adapter}."""
    base, *others = values or [None] * len(columns)
    return {"base": base, "adapted": dict(zip(columns[1:], others, strict=True))}


def _losses(text: dict[str, Any], columns: list[str | None]) -> dict[str, Any]:
    losses = _by_adapter(text["losses"], columns)
    return {"data": text["name"], "rows": text["rows"], **losses}


def _said(event: dict[str, Any]) -> dict[str, Any]:
    return {"key": event["key"], "facts": event["facts"]}
