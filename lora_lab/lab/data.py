"""The data of a set-up, read and checked whole before any model is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lora_lab.config import Settings
from lora_lab.data import reading, samples, shaping, tokenising
from lora_lab.data.dataset import Dataset
from lora_lab.data.table import Table


def table_of(settings: Settings, path: Path | None = None, name: str | None = None) -> Table:
    """The table in an upload, which its owner calls name; without one, in what settings.data
    means."""
    return reading.read(path, name) if path else reading.read(samples.resolve(settings.data))


def dataset_of(settings: Settings, path: Path | None = None, name: str | None = None) -> Dataset:
    """The examples in that table."""
    return shaping.shape(table_of(settings, path, name), settings)


def to_train_on(settings: Settings, path: Path | None = None, name: str | None = None) -> Dataset:
    """The same, once it is long enough for a part to be held out."""
    dataset = dataset_of(settings, path, name)
    tokenising.split(dataset, settings.heldout_share, settings.seed)
    return dataset


def guess(dataset: Dataset) -> dict[str, Any]:
    """A reading without a tokenizer: four characters a token, as in English."""
    characters = sum(len(str(example)) for example in dataset.examples)
    return {"mean_tokens": max(1.0, characters / 4 / len(dataset.examples))}
