"""A model folder's safetensors, read without torch: are they there, whole, and which bits.

A .safetensors file is 8 bytes of header length, a JSON header (name -> dtype, shape, where) and
the bytes. Nothing in it can run, which is why it is the only kind of weights the lab opens.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_lab.errors import LabError

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
BITS = {
    "F64": 64, "I64": 64, "U64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16,
    "I16": 16, "U16": 16, "I8": 8, "U8": 8, "BOOL": 8, "F8_E4M3": 8, "F8_E5M2": 8,
}  # fmt: skip


@dataclass(frozen=True)
class Tensor:
    """One tensor of a file: where its bytes stand in it (start, end) and what they are."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    def read(self) -> bytes:
        with self.file.open("rb") as file:
            file.seek(self.start)
            return file.read(self.end - self.start)


def files(folder: Path) -> list[Path]:
    """The weight files of the model in `folder`: one, or the parts its index names.

    Raises no_such_folder, no_config, no_weights, pickle_only or weights_missing.
    """
    if not folder.is_dir():
        raise LabError("no_such_folder", folder=str(folder))
    if not (folder / "config.json").is_file():
        adapter = (folder / "adapter_config.json").is_file()
        raise LabError("folder_is_an_adapter" if adapter else "no_config", folder=str(folder))
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    if not index.is_file():
        pickled = any(path.suffix in PICKLES for path in folder.iterdir())
        raise LabError("pickle_only" if pickled else "no_weights", model=folder.name)
    parts = sorted({folder / name for name in parts_named(index.read_text("utf-8"), index.name)})
    for part in parts:
        if not part.is_file():
            raise LabError("weights_missing", file=part.name, model=folder.name)
    return parts


def parts_named(index: str, name: str) -> set[str]:
    """The weight files an index names; each must be a plain name, so that none leads outside."""
    try:
        named = set(json.loads(index)["weight_map"].values())
        if not all(isinstance(n, str) and Path(n).name == n for n in named):
            raise ValueError
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise LabError("safetensors_corrupt", file=name) from error
    return named


def tensors(folder: Path) -> dict[str, Tensor]:
    """Every tensor of the model in `folder` by name.

    Raises safetensors_corrupt where a header does not fit its file (a download cut short, say).
    """
    found: dict[str, Tensor] = {}
    for file in files(folder):
        found |= _header(file)
    return found


def _header(file: Path) -> dict[str, Tensor]:
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if length > 100_000_000:
                raise ValueError("a header of more than 100 MB")
            header: dict[str, Any] = json.loads(opened.read(length))
        header.pop("__metadata__", None)
        found = {name: _tensor(file, 8 + length, told) for name, told in header.items()}
        if max((t.end for t in found.values()), default=0) != file.stat().st_size:
            raise ValueError("the bytes do not end where the file does")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LabError("safetensors_corrupt", file=file.name) from error
    return found


def _tensor(file: Path, base: int, told: dict[str, Any]) -> Tensor:
    start, end = told["data_offsets"]
    bits = BITS[told["dtype"]]
    for size in told["shape"]:
        bits *= size
    if not 0 <= start <= end or (end - start) * 8 != bits:
        raise ValueError("a tensor's bytes do not fit its shape")
    return Tensor(file, told["dtype"], tuple(told["shape"]), base + start, base + end)
