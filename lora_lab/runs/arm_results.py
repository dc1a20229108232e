"""What comes of an arm: its figures, and its adapter (or model) at arms/<n>/ of the run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from lora_lab.config import Settings
from lora_lab.evaluation import updates
from lora_lab.evaluation.forgetting import base_text_loss
from lora_lab.lora import attaching
from lora_lab.runs.arms import adapter_folder
from lora_lab.runs.folder import Run
from lora_lab.runs.work import Base
from lora_lab.training import loop, methods


@dataclass
class Entrant:
    """An arm while it trains."""

    model: nn.Module
    method: methods.Method
    settings: Settings


def keep(run: Run, base: Base, number: int, entrant: Entrant, outcome: loop.Outcome) -> None:
    """Write the best of the arm down, and then that it has ended."""
    entrant.method.set(outcome.adapter)
    figures = _figures(run, base, number, entrant, outcome)
    told, settings = run.config, entrant.settings
    sets = told["experiment"]["datasets"]
    data = next(each for each in sets if each["data"] == settings.data)
    facts = {name: told[name] for name in ("id", "base", "machine", "versions")}
    facts |= {"arm": number, "settings": asdict(settings), "data": data, "result": figures}
    folder = adapter_folder(run, number)
    entrant.method.take_off()(folder, base.name, facts)
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    run.append("arm", arm=number, adapter_bytes=size, **figures)


def _figures(
    run: Run, base: Base, number: int, entrant: Entrant, outcome: loop.Outcome
) -> dict[str, Any]:
    progress, events = outcome.progress, run.events()[0]
    curve = [e["loss"] for e in events if e["kind"] == "heldout" and e["arm"] == number]
    return {
        "state": "done",
        "steps": progress.step,
        "learning_rate": entrant.settings.learning_rate,
        "trainable": sum(p.numel() for p in entrant.method.parameters.values()),
        "seconds": progress.seconds,
        "tokens": progress.tokens,
        "heldout_loss_before": curve[0],
        "heldout_loss": progress.best_loss,
        "best_step": progress.best_step,
        "base_text_loss": base_text_loss(entrant.model, base.tokenizer),
        "update": _update(entrant, base.model),
    }


def _update(entrant: Entrant, base: nn.Module) -> dict[str, float] | None:
    """‖ΔW‖ / ‖W0‖ by matrix, of what has a ΔW that is added to W0."""
    if entrant.settings.method == "full":
        return updates.of_model(entrant.model, base)
    if entrant.settings.method == "lora" and entrant.settings.init != "pissa":
        return updates.of_adapter(attaching.extract(entrant.model, methods.ADAPTER), base)
    return None
