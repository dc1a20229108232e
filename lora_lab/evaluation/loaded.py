"""The bases that were loaded last, kept so that the next comparison starts at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch

from lora_lab.errors import LabError
from lora_lab.lora import attaching, peft_format
from lora_lab.models import loading, sources

MOST = 2  # bases kept; a third pushes out the one used longest ago


@dataclass
class Base:
    """A model in memory, with no adapter on it while nobody uses it.

    losses: held-out losses found so far, by text and column, for as long as it is kept.
    """

    model: Any
    tokenizer: Any
    local: sources.Local
    losses: dict[Any, float] = field(default_factory=dict)

    @cached_property
    def hash(self) -> str:
        """Of the weights in its files, whatever the precision it was loaded in."""
        return loading.base_hash(self.local.folder)


def base(local: sources.Local, device: str, precision: str) -> Base:
    """The model of local on device, in precision ("float32" or "bfloat16"); kept afterwards."""
    key = (local, device, precision, stamp(local.folder))
    try:
        return _load(*key)
    except LabError as error:
        if error.key != "model_too_large" or not _load.cache_info().currsize:
            raise
    _load.cache_clear()
    return _load(*key)


@contextmanager
def attached(base: Base, folders: list[Path]) -> Iterator[Any]:
    """The adapters of folders on the base, each named by its path; the Routing, or None.

    Afterwards the base is back, bit for bit. Raises LabError where one cannot be read or does not
    fit.
    """
    adapters = {str(folder): peft_format.load(folder) for folder in folders}
    routing = None
    try:
        for name, adapter in adapters.items():
            routing = attaching.add(base.model, name, adapter)
        yield routing
    finally:
        attaching.detach(base.model)


def stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes when a weight file of folder does."""
    files = sorted(folder.glob("*.safetensors"))
    return tuple((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)


@lru_cache(maxsize=MOST)
def _load(local: sources.Local, device: str, precision: str, _stamp: Any) -> Base:
    model, tokenizer = loading.load(local, getattr(torch, precision))
    return Base(model.to(device), tokenizer, local)
