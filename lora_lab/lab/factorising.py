"""A matrix and the nearest product of two thin ones (S1): 9 × 9 holds 81 numbers, rank 1 holds 18.

Light but for a model's own weights: numpy alone, at the speed of a slider.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora_lab.errors import LabError
from lora_lab.lab.offered import fetch

if TYPE_CHECKING:
    import numpy as np


def factorise(matrix: np.ndarray, rank: int) -> dict[str, Any]:
    """{"rows", "columns", "rank", "original" and "kept" numbers, "relative_error" (Frobenius),
    "singular_values", largest first}."""
    from lora_lab.factorising import truncation

    factors = truncation.decompose(matrix)
    rows, columns = matrix.shape
    return truncated([float(s) for s in factors.S], rows, columns, rank)


def truncated(singular_values: Sequence[float], rows: int, columns: int, rank: int) -> dict:
    """The same of a matrix whose singular values are known already."""
    from lora_lab.factorising import truncation

    rank = truncation.check_rank(rank, rows, columns)
    return {
        "rows": rows,
        "columns": columns,
        "rank": rank,
        "original": rows * columns,
        "kept": truncation.kept(rows, columns, rank),
        "relative_error": truncation.relative_errors(singular_values)[rank],
        "singular_values": list(singular_values),
    }


def matrix_of_file(path: Path, name: str | None = None) -> np.ndarray:
    """A CSV of numbers, or a picture in greys; name: what its owner calls the file."""
    from lora_lab.factorising import pictures, tables

    name = name or path.name
    content = pictures.bytes_of(path, name)
    if pictures.is_picture(content):
        return pictures.read(content, name)
    return tables.read(content, name)


def matrix_of_shape(shape: str) -> np.ndarray:
    """Gaussian numbers, the same each time; shape: "9x9", rows first."""
    from lora_lab.factorising import patterns, tables

    sides = shape.lower().replace("×", "x").split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdigit() for side in sides):
        raise LabError("shape_not_two_numbers", shape=shape[:40])
    rows, columns = (int(side[:9]) for side in sides)
    if not 1 <= min(rows, columns) <= max(rows, columns) <= tables.MOST_SIDE:
        raise LabError("matrix_too_large", most=tables.MOST_SIDE)
    return patterns.draw("noise", rows, columns)


def factorise_weight(model: str, path: str, rank: int) -> Iterator[dict[str, Any]]:
    """Heavy. A matrix of a model by its module path: {"kind": "factorised"} with what factorise
    tells, {"kind": "progress"} before."""
    from lora_lab.models import matrices, sources

    yield from fetch(model)
    yield {"kind": "progress", "phase": "loading"}
    matrix = matrices.read(sources.fetch(model).folder, path)
    yield {"kind": "factorised", "model": model, "path": path, **factorise(matrix, rank)}
