"""Matrices to begin with: some are products of thin ones in disguise, some are not."""

from __future__ import annotations

import numpy as np

PATTERNS = ("times", "waves", "cross", "noise")


def draw(pattern: str, rows: int, columns: int) -> np.ndarray:
    """times: the times table, whose rank is 1; waves: two patterns added, rank 2; cross: a cross,
    rank 2; noise: Gaussian numbers, the same each time, which no lower rank does justice to."""
    return _DRAWN[pattern](rows, columns)


def _times(rows: int, columns: int) -> np.ndarray:
    return np.outer(np.arange(1, rows + 1), np.arange(1, columns + 1)).astype(float)


def _waves(rows: int, columns: int) -> np.ndarray:
    down, across = np.linspace(0, np.pi, rows), np.linspace(0, np.pi, columns)
    both = np.outer(6 * np.sin(down), np.sin(across)) + np.outer(3 * np.cos(down), np.cos(across))
    return np.round(both, 10)


def _cross(rows: int, columns: int) -> np.ndarray:
    drawn = np.zeros((rows, columns))
    drawn[rows // 2], drawn[:, columns // 2] = 5, 5
    return drawn


def _noise(rows: int, columns: int) -> np.ndarray:
    return np.round(np.random.default_rng(0).normal(0, 3, (rows, columns)), 1)


_DRAWN = {"times": _times, "waves": _waves, "cross": _cross, "noise": _noise}
