"""A matrix as the product of two thin ones: the best of every rank, from one decomposition.

    W [m, n]  =  U [m, k] · diag(S) · V [k, n]          k = min(m, n), S falling
    W_r       =  U[:, :r] · diag(S[:r]) · V[:r]         r (m + n) numbers in place of m n

No product of an m × r and an r × n matrix is nearer to W than W_r, in the sum of squares of what is
left over (Eckart and Young 1936), and what is left over is told by the singular values alone:
‖W − W_r‖² = S[r]² + S[r+1]² + …
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lora_lab.errors import LabError


@dataclass(frozen=True)
class Factors:
    """The decomposition of a matrix [m, n]: U [m, k], S [k], V [k, n]."""

    U: np.ndarray
    S: np.ndarray
    V: np.ndarray

    def thin(self, rank: int) -> tuple[np.ndarray, np.ndarray]:
        """The two thin matrices [m, rank] and [rank, n]; each takes the root of S."""
        root = np.sqrt(self.S[:rank])
        return self.U[:, :rank] * root, root[:, None] * self.V[:rank]

    def product(self, rank: int) -> np.ndarray:
        """The nearest matrix [m, n] of that rank."""
        return (self.U[:, :rank] * self.S[:rank]) @ self.V[:rank]


def decompose(matrix: np.ndarray) -> Factors:
    """matrix [m, n] of finite numbers, in its own precision."""
    return Factors(*np.linalg.svd(matrix, full_matrices=False))


def kept(rows: int, columns: int, rank: int) -> int:
    """How many numbers the two thin matrices hold; 9 × 9 at rank 1: 18 of 81."""
    return rank * (rows + columns)


def relative_errors(singular_values: Sequence[float]) -> list[float]:
    """‖W − W_r‖ / ‖W‖ (Frobenius) at r = 0, 1, … k; 0 throughout for a matrix of zeros."""
    squares = [float(value) ** 2 for value in singular_values]
    left = [0.0]  # summed from the smallest up, so that small ones are not lost
    for square in reversed(squares):
        left.append(left[-1] + square)
    whole = left[-1]
    return [math.sqrt(rest / whole) if whole else 0.0 for rest in reversed(left)]


def smallest_rank(singular_values: Sequence[float], wanted: float) -> int:
    """The smallest rank whose relative error is at most wanted."""
    errors = relative_errors(singular_values)
    # What rounding leaves of a zero is no reason for one rank more.
    return next(rank for rank, error in enumerate(errors) if error <= wanted + 1e-9)


def check_rank(rank: int, rows: int, columns: int) -> int:
    """rank, once it is one that a matrix of this shape can have."""
    most = min(rows, columns)
    if not 1 <= rank <= most:
        raise LabError("rank_of_matrix", rank=rank, rows=rows, columns=columns, most=most)
    return rank
