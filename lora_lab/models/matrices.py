"""One matrix of a model, read from its files as numbers: no model is built and no torch needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lora_lab.errors import LabError
from lora_lab.models import weights

MOST_SIDE = 4096  # of the shorter side: decomposed in about a minute


def read(folder: Path, path: str) -> np.ndarray:
    """The matrix at a module's path as its file keeps it, float32 (GPT-2's lie on their side).

    Raises LabError: no_such_matrix, matrix_too_large, and whatever is wrong with the files.
    """
    tensor = _find(weights.tensors(folder), path)
    if tensor is None or len(tensor.shape) != 2:
        raise LabError("no_such_matrix", path=path[:200], model=folder.name)
    if min(tensor.shape) > MOST_SIDE:
        raise LabError("matrix_too_large", most=MOST_SIDE)
    return _numbers(tensor).reshape(tensor.shape)


def _find(tensors: dict[str, weights.Tensor], path: str) -> weights.Tensor | None:
    """By its name; GPT-2's own files leave out the first part of it."""
    inside = path.partition(".")[2]
    return tensors.get(f"{path}.weight") or tensors.get(f"{inside}.weight")


def _numbers(tensor: weights.Tensor) -> np.ndarray:
    raw = tensor.read()
    if tensor.dtype == "BF16":  # the upper half of a float32
        return (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4")
    known = {"F32": "<f4", "F16": "<f2", "F64": "<f8"}
    if tensor.dtype not in known:
        raise LabError("matrix_of_integers", kind=tensor.dtype)
    return np.frombuffer(raw, known[tensor.dtype]).astype(np.float32)
