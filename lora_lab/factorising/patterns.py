"""Matrices to begin with: some are products of thin ones in disguise, some are not."""

from __future__ import annotations

import numpy as np

PATTERNS = ("times", "two", "cross", "noise")


def draw(pattern: str, rows: int, columns: int) -> np.ndarray:
    """times: the times table, whose rank is 1; two: a hill and a slope added, rank 2; cross: a
    cross, rank 2; noise: Gaussian numbers, the same each time, which need their full rank."""
    return _DRAWN[pattern](rows, columns)


def _times(rows: int, columns: int) -> np.ndarray:
    return np.outer(np.arange(1, rows + 1), np.arange(1, columns + 1)).astype(float)


def _two(rows: int, columns: int) -> np.ndarray:
    down, across = np.arange(rows), np.arange(columns)
    hill = np.outer(np.minimum(down, rows - 1 - down), np.minimum(across, columns - 1 - across))
    return (hill + np.outer(rows // 2 - down, columns // 2 - across)).astype(float)


def _cross(rows: int, columns: int) -> np.ndarray:
    drawn = np.zeros((rows, columns))
    drawn[rows // 2], drawn[:, columns // 2] = 5, 5
    return drawn


def _noise(rows: int, columns: int) -> np.ndarray:
    return np.round(np.random.default_rng(0).normal(0, 3, (rows, columns)), 1)


_DRAWN = {"times": _times, "two": _two, "cross": _cross, "noise": _noise}


def landscape() -> np.ndarray:
    """A picture in greys, 0 to 255, to begin with: a sky, a sun, a hill and a striped sea. The
    stripes are of low rank, the round and the slanting edges are not."""
    y, x = np.mgrid[0:160, 0:224]
    picture = 225 - 60.0 * y / 160
    picture[(y - 45) ** 2 + (x - 165) ** 2 < 26**2] = 255
    picture[y > 118 - 75 * np.exp(-(((x - 75) / 42) ** 2))] = 95
    sea = y > 118
    picture[sea] = (130 + 45 * np.sin(y / 2.2))[sea]
    boat = (y > 104) & (y < 116) & (abs(x - 150) < 24 - 1.2 * (y - 104))
    sail = (y > 66) & (y < 102) & (x > 150) & (x - 150 < (y - 66) * 0.55)
    picture[boat | sail] = 40
    return picture.astype(np.float32)
