"""The models that were loaded last, kept so that the next comparison starts at once; and what
answers in each column of one: the base, an adapter on it, or a model of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch

from lora_lab.errors import LabError
from lora_lab.lora import attaching, peft_format, peft_prefix
from lora_lab.lora.routing import Choice, Routing
from lora_lab.models import loading, sources

MOST = 3  # models kept; a fourth pushes out the one used longest ago


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


class Voice(NamedTuple):
    """What answers in one column: a model, the Routing of its adapters (or None), and which."""

    base: Base
    routing: Routing | None
    column: Choice


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
def attached(base: Base, folders: list[Path]) -> Iterator[Routing | None]:
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


@contextmanager
def voices(base: Base, adapters: list[tuple[Path, float]]) -> Iterator[list[Voice]]:
    """The base's voice, then each adapter's at its strength, or each whole model's.

    Afterwards the base is back, bit for bit. Raises LabError where one cannot be read or does not
    fit the base.
    """
    own = {folder: whole(folder, base) for folder, _ in adapters if is_model(folder)}
    with attached(base, [folder for folder, _ in adapters if folder not in own]) as routing:
        speaking = [Voice(base, routing, None)]
        for folder, strength in adapters:
            if folder not in own:
                speaking.append(Voice(base, routing, (str(folder), strength)))
            else:
                speaking.append(Voice(own[folder], None, None) if strength else speaking[0])
        yield speaking


def is_model(folder: Path) -> bool:
    """Whether an "adapter" is a whole model, as full fine-tuning leaves one."""
    return (folder / "config.json").is_file() and not (folder / peft_format.CONFIG).is_file()


def has_dial(folder: Path) -> bool:
    """Whether strength multiplies something: a prefix alone or a whole model is there or not."""
    return not is_model(folder) and bool(peft_format.load(folder).tensors)


def whole(folder: Path, like: Base) -> Base:
    """The model in folder, where and in what `like` computes; LabError where it reads other
    tokens."""
    precision = str(like.model.dtype).removeprefix("torch.")
    made = base(sources.fetch(str(folder)), str(like.model.device), precision)
    if made.model.config.vocab_size != like.model.config.vocab_size:
        raise LabError("model_reads_other_tokens", model=folder.name)
    return made


def stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes when a weight file of folder does, or of the prefix inside it."""
    inside = (folder / peft_prefix.FOLDER).glob("*.safetensors")
    files = [*sorted(folder.glob("*.safetensors")), *inside]
    return tuple((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)


@lru_cache(maxsize=MOST)
def _load(local: sources.Local, device: str, precision: str, _stamp: Any) -> Base:
    model, tokenizer = loading.load(local, getattr(torch, precision))
    return Base(model.to(device), tokenizer, local)
