"""Matrices drawn as cells, and singular values as bars: pure functions from numbers to HTML.

A cell's number is always written in it, its sign included; colour only repeats what it says.
"""

from __future__ import annotations

from collections.abc import Sequence

from lora_lab.ui.markup import safe
from lora_lab.words import number, say

CELL, HEIGHT = 36, 30  # user units, shown as so many pixels: nine fit on a phone
MOST_BARS = 64
ROUNDING = 1e-7
Matrix = Sequence[Sequence[float]]


def heat(matrix: Matrix, name: str, limit: float, language: str) -> str:
    """matrix [rows, columns] as a figure called name; limit: the size that is coloured fully."""
    rows, columns = len(matrix), len(matrix[0])
    label = say("heat.label", language, name=name, rows=rows, columns=columns)
    cells = "".join(
        _cell(value, row, column, limit, language)
        for row, line in enumerate(matrix)
        for column, value in enumerate(line)
    )
    width, height = columns * CELL, rows * HEIGHT
    return (
        f'<figure class="heat"><figcaption>{safe(name)}</figcaption>'
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img"'
        f' aria-label="{safe(label)}">{cells}</svg></figure>'
    )


def largest(*matrices: Matrix) -> float:
    """The largest size of any number in them, or 1 where all are zero."""
    return max((abs(v) for matrix in matrices for line in matrix for v in line), default=0) or 1.0


def bars(values: Sequence[float], rank: int, language: str) -> str:
    """Singular values as bars, the first `rank` of them filled, the others hollow."""
    top = max(values, default=0) or 1.0
    # What rounding leaves of a zero is told as the zero it stands for.
    shown = [value if value > top * ROUNDING else 0.0 for value in values[:MOST_BARS]]
    drawn = "".join(
        f'<span class="{"kept" if place <= rank else "lost"}"'
        f' style="height:{max(1.0, 100 * value / top):.1f}%"'
        f' title="{place}: {safe(number(float(value), language))}"></span>'
        for place, value in enumerate(shown, 1)
    )
    told = [number(float(value), language) for value in shown[:9]]
    label = say("heat.bars", language, values=" · ".join(told), rank=rank, count=len(values))
    return f'<div class="bars" role="img" aria-label="{safe(label)}">{drawn}</div>'


def _cell(value: float, row: int, column: int, limit: float, language: str) -> str:
    x, y = column * CELL, row * HEIGHT
    share = min(1.0, abs(value) / limit)
    sign = "minus" if value < 0 else "plus"
    return (
        f'<rect class="{sign}" x="{x}" y="{y}" width="{CELL - 1}" height="{HEIGHT - 1}"'
        f' style="--share:{share:.3f}"/>'
        f'<text x="{x + CELL / 2 - 0.5}" y="{y + HEIGHT / 2 + 4}" text-anchor="middle">'
        f"{_written(value, language)}</text>"
    )


def _written(value: float, language: str) -> str:
    """A number as short as a cell: whole from 10 up and where it is whole, else one decimal."""
    size = abs(value)
    if size >= 10_000:
        return f"{value:.0e}".replace("e+0", "e").replace("-", "−")
    whole = size >= 9.95 or abs(size - round(size)) < 0.005
    text = number(round(size) if whole else size, language, 0 if whole else 1)
    return f"−{text}" if value < 0 and text.strip("0.,") else text
