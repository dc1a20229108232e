"""adapter_model.safetensors, read with suspicion: names and shapes first, numbers last."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from lora_lab.errors import LabError
from lora_lab.lora.counting import tensor_name

MOST_TENSORS = 20_000
LONGEST_PATH = 200  # letters
_NAME = re.compile(r"base_model\.model\.([\w.]+)\.lora_([AB])\.weight")
Pairs = dict[str, tuple[torch.Tensor, torch.Tensor]]


def read_tensors(file: Path, rank_of: Callable[[str], int]) -> Pairs:
    """Full module path -> (A [r, in], B [out, r]), float32.

    rank_of: the rank that the configuration gives the matrix at a path. Raises LabError when the
    file is broken, a name is not LoRA's, half of a pair is missing, a shape or a number is wrong.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            paths = _paths(list(opened.keys()), file)
            for path in paths:
                _check_shapes(opened, path, rank_of(path), file)
            return {path: _pair(opened, path, file) for path in paths}
    except (SafetensorError, OSError, ValueError):
        raise LabError("adapter_file_broken", file=file.name) from None


def _paths(names: list[str], file: Path) -> list[str]:
    sides: dict[str, set[str]] = {}
    if len(names) > MOST_TENSORS:
        raise LabError("adapter_too_many", file=file.name, count=len(names), most=MOST_TENSORS)
    for name in names:
        found = _NAME.fullmatch(name)
        if found is None or len(found[1]) > LONGEST_PATH:
            raise LabError("adapter_strange_tensor", file=file.name, name=name[:LONGEST_PATH])
        sides.setdefault(found[1], set()).add(found[2])
    for path, present in sides.items():
        if len(present) == 1:
            missing = "B" if "A" in present else "A"
            raise LabError("adapter_half_pair", file=file.name, path=path, missing=missing)
    if not sides:
        raise LabError("adapter_empty", file=file.name)
    return sorted(sides, key=_natural)


def _check_shapes(opened, path: str, rank: int, file: Path) -> None:
    A, B = (opened.get_slice(name) for name in _names(path))
    shapes = A.get_shape(), B.get_shape()
    if [len(shape) for shape in shapes] != [2, 2] or (shapes[0][0], shapes[1][1]) != (rank, rank):
        raise LabError(
            "adapter_bad_shape",
            file=file.name,
            path=path,
            rank=rank,
            A=str(shapes[0]),
            B=str(shapes[1]),
        )
    for kind in (A.get_dtype(), B.get_dtype()):
        if kind not in ("F32", "F16", "BF16"):
            raise LabError("adapter_bad_dtype", file=file.name, path=path, found=kind)


def _pair(opened, path: str, file: Path) -> tuple[torch.Tensor, torch.Tensor]:
    A, B = (opened.get_tensor(name).float() for name in _names(path))
    if not (A.isfinite().all() and B.isfinite().all()):
        raise LabError("adapter_not_finite", file=file.name, path=path)
    return A, B


def _names(path: str) -> list[str]:
    return [tensor_name(path, side) for side in "AB"]


def _natural(path: str) -> list[tuple[bool, int, str]]:
    """layers.2 before layers.10: the order in which a person, and the model, count them."""
    return [(p.isdigit(), int(p) if p.isdigit() else 0, p) for p in path.split(".")]
