"""After training: base and adapters side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from lora_lab.config import Sampling, Settings, from_json
from lora_lab.lab.adapters import live_mixture
from lora_lab.lab.data import dataset_of
from lora_lab.lab.offered import fetch


def compare(
    model: str,
    adapters: list[tuple[str, float]],
    prompts: list[str],
    machine: dict[str, Any] | None = None,
    mixture: bool = False,
    system: str = "",
    measure: bool = True,
    **sampling: Any,
) -> Iterator[dict[str, Any]]:
    """Heavy. Base and adapters answer in step; see evaluation.comparing.compare.

    adapters: folder and strength. machine: settings of that group, where not the usual ones.
    mixture: a last column for the sum of all adapters, each at its strength.
    sampling: fields of config.Sampling, where not the usual ones.
    """
    from lora_lab.evaluation import comparing
    from lora_lab.runs import texts

    folders = [(Path(adapter), strength) for adapter, strength in adapters]
    heldout = texts.heldout([adapter for adapter, _ in folders])
    yield from fetch(model)
    place = place_of(from_json((machine or {}) | {"model": model}))
    with live_mixture(adapters) if mixture else nullcontext() as mixed:
        columns = [*folders, (Path(mixed), 1.0)] if mixed else folders
        yield from comparing.compare(
            model,
            columns,
            prompts,
            heldout,
            place,
            Sampling(**sampling),
            system=system,
            measure=measure,
        )


def evaluate(
    settings: dict[str, Any], adapters: list[tuple[str, float]]
) -> Iterator[dict[str, Any]]:
    """Heavy. The loss of base and adapters on all rows of the data; see evaluation.comparing."""
    from lora_lab.evaluation import comparing

    chosen = from_json(settings)
    dataset = dataset_of(chosen)
    text = comparing.Text(dataset, chosen.max_length, most=None)
    yield from fetch(chosen.model)
    place = place_of(chosen)
    folders = [(Path(adapter), strength) for adapter, strength in adapters]
    yield from comparing.evaluate(chosen.model, folders, [text], place)


def place_of(chosen: Settings) -> Any:
    """Where to compute, as comparing takes it; this process's threads are set on the way."""
    from lora_lab.evaluation.comparing import Place
    from lora_lab.models import measuring
    from lora_lab.training import machine

    settled = machine.settle(chosen, measuring.describe(chosen.model).small)
    settled.take()
    return Place(settled.device, settled.precision)
