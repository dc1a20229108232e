"""What a finished adapter holds, matrix by matrix, and how little of it is enough (S18)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from lora_lab.errors import LabError
from lora_lab.evaluation.loaded import is_model
from lora_lab.lora import peft_format, spectrum
from lora_lab.lora.adapter import Adapter
from lora_lab.lora.targets import last_name, layer_of
from lora_lab.models import matrices, measuring, sources
from lora_lab.models.shapes import Shapes

Told = dict[str, Any]


def of_matrices(folder: Path, model: str | None = None) -> Adapter:
    """The adapter in folder, once it has A and B for some matrix.

    Of a model's folder, which full fine-tuning of `model` left: its update of each matrix as an
    adapter of the rank it has, so that both are looked into alike.
    """
    if model and is_model(folder):
        return _of_full(folder, sources.fetch(model).folder, measuring.describe(model))
    adapter = peft_format.load(folder)
    if not adapter.tensors:
        raise LabError("adapter_without_matrices")
    return adapter


def matrix_by_matrix(adapter: Adapter, base: Path | None) -> list[Told]:
    """Of each adapted matrix: "path", "layer" (None outside of layers), "matrix" (its name),
    "rank", "singular_values" of s B A with its scale s, "effective_rank", "norm" ‖s B A‖, and
    "base_norm" ‖W0‖ and "relative_norm" of both where base, the model's folder, is given
    (Frobenius norms)."""
    return [_one(adapter, path, base) for path in adapter.tensors]


def similarities(adapter: Adapter, other: Adapter) -> Told:
    """ "phi" [r][r'], the mean of spectrum.similarity over the matrices both adapt; "random", what
    two random adapters would come to; "matrices", how many both adapt; "by_matrix", path ->
    φ(r, r') of the whole spans.

    Raises LabError where they share no matrix of the same shape.
    """
    pairs = {
        path: (A, other.tensors[path][0])
        for path, (A, _) in adapter.tensors.items()
        if path in other.tensors and other.tensors[path][0].shape[1] == A.shape[1]
    }
    if not pairs:
        raise LabError("nothing_shared")
    found = {path: spectrum.similarity(*pair) for path, pair in pairs.items()}
    rows, columns = (min(side) for side in zip(*(f.shape for f in found.values()), strict=True))
    mean = torch.stack([phi[:rows, :columns] for phi in found.values()]).mean(0)
    inputs = [A.shape[1] for A, _ in pairs.values()]
    chance = sum(1 / width for width in inputs) / len(inputs)
    expected = [
        [min(1.0, max(i, j) * chance) for j in range(1, columns + 1)] for i in range(1, rows + 1)
    ]
    return {
        "phi": mean.tolist(),
        "random": expected,
        "matrices": len(pairs),
        "by_matrix": {path: phi[-1, -1].item() for path, phi in found.items()},
    }


def summary(told: list[Told]) -> Told:
    """The means over the matrices: "effective_rank" and, where W0 is known, "relative_norm"."""
    ranks = [each["effective_rank"] for each in told]
    norms = [each["relative_norm"] for each in told if each["relative_norm"] is not None]
    return {
        "effective_rank": sum(ranks) / len(ranks),
        "relative_norm": sum(norms) / len(norms) if norms else None,
    }


def _of_full(tuned: Path, base: Path, known: Shapes) -> Adapter:
    """W − W0 = B A with alpha = r at every matrix but the embedding and a head tied to it."""
    tensors = {}
    for path, told in known.paths().items():
        if told.kind == "embedding" or (known.tied and path == "lm_head"):
            continue
        update = torch.from_numpy(matrices.read(tuned, path) - matrices.read(base, path))
        W = update.t() if told.kind == "conv1d" else update
        U, S, Vh = torch.linalg.svd(W, full_matrices=False)
        tensors[path] = S.sqrt()[:, None] * Vh, U * S.sqrt()
    rank = max(A.shape[0] for A, _ in tensors.values())
    alphas = {path: float(A.shape[0]) for path, (A, _) in tensors.items() if A.shape[0] != rank}
    return Adapter(rank=rank, alpha=float(rank), tensors=tensors, alphas=alphas)


def _one(adapter: Adapter, path: str, base: Path | None) -> Told:
    A, B = adapter.tensors[path]
    S = spectrum.singular_values(adapter, path)
    norm, base_norm = S.norm().item(), _base_norm(base, path, A, B)
    return {
        "path": path,
        "layer": layer_of(path),
        "matrix": last_name(path),
        "rank": A.shape[0],
        "singular_values": S.tolist(),
        "effective_rank": spectrum.effective_rank(S),
        "norm": norm,
        "base_norm": base_norm,
        "relative_norm": norm / base_norm if base_norm else None,
    }


def _base_norm(base: Path | None, path: str, A: torch.Tensor, B: torch.Tensor) -> float | None:
    if base is None:
        return None
    W0 = matrices.read(base, path)
    if sorted(W0.shape) != sorted((A.shape[1], B.shape[0])):
        raise LabError(
            "adapter_does_not_fit",
            path=path,
            found=f"{A.shape[1]} → {B.shape[0]}",
            expected=" × ".join(map(str, W0.shape)),
        )
    return float((W0.astype("float64") ** 2).sum() ** 0.5)
