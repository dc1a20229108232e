"""What there is to choose from, and bringing a model here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from lora_lab.data import samples
from lora_lab.models import catalogue, sources


def models() -> list[dict[str, Any]]:
    """The catalogue, with whether each model is on this machine already."""
    return [
        {**asdict(model), "good_for": model.good_for, "here": sources.is_here(model.name)}
        for model in catalogue.CATALOGUE
    ]


def sample_datasets() -> list[dict[str, Any]]:
    """The datasets in the box."""
    return [asdict(sample) for sample in samples.samples()]


def describe(model: str) -> Iterator[dict[str, Any]]:
    """Heavy. Make a model known that is not in the catalogue: its shapes, without its weights."""
    from lora_lab.models import measuring

    yield {"kind": "shapes", **measuring.describe(model).as_json()}


def fetch(model: str) -> Iterator[dict[str, Any]]:
    """Heavy. Bring a model to this machine; {"kind": "progress", …} on the way."""
    from lora_lab.runs.fetching import fetched

    for progress in fetched(model):
        yield {"kind": "progress", **asdict(progress)}
