"""The data of a set-up, read and checked whole before any model is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lora_lab.config import Settings
from lora_lab.data import reading, samples, shaping
from lora_lab.data.dataset import Dataset


def table_of(settings: Settings, path: Path | None, name: str | None) -> reading.Table:
    if path is not None:
        return reading.read(path, name)
    return reading.read(samples.resolve(settings.data))


def guess(dataset: Dataset) -> dict[str, Any]:
    """A reading without a tokenizer: four characters a token, as in English."""
    characters = sum(len(str(example)) for example in dataset.examples)
    return {"mean_tokens": max(1.0, characters / 4 / len(dataset.examples))}


def dataset_of(table: reading.Table, settings: Settings) -> Dataset:
    return shaping.shape(table, settings)
