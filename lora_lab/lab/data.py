"""The data of a set-up, read and checked whole before any model is asked for."""

from __future__ import annotations

import contextlib
from functools import lru_cache
from pathlib import Path
from statistics import mean
from typing import Any

from lora_lab.config import Settings
from lora_lab.data import reading, samples, shaping, tokenising
from lora_lab.data.dataset import Dataset
from lora_lab.data.table import Table
from lora_lab.models import sources

LOOKED_AT, LONGEST = 50, 8000  # rows, and characters of one, for a first idea of their length


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


def guess(dataset: Dataset, model: str) -> dict[str, Any]:
    """A reading of some rows, in a moment: by the model's own tokenizer where it is here, else at
    four characters a token, as in English."""
    some = dataset.examples[:: -(-len(dataset.examples) // LOOKED_AT)]
    texts = [_words(example)[:LONGEST] for example in some]
    tokenizer = _tokenizer(model)
    lengths = [len(tokenizer.encode(text)) if tokenizer else len(text) / 4 for text in texts]
    return {"mean_tokens": max(1.0, mean(lengths))}


def _words(told: Any) -> str:
    """All text in an example, whatever its shape."""
    if isinstance(told, str):
        return told
    parts = told.values() if isinstance(told, dict) else told if isinstance(told, list) else []
    return "\n".join(filter(None, map(_words, parts)))


def _tokenizer(model: str) -> Any:
    """None where the model is not here, or has none of the usual kind: loading it says more."""
    if not sources.is_here(model):
        return None
    with contextlib.suppress(Exception):  # the tokenizers' own errors are nothing narrower
        return _loaded(sources.fetch(model).folder / "tokenizer.json")
    return None


@lru_cache(4)
def _loaded(file: Path) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(file))
