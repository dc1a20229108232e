"""The names of a chart's curves: at their ends where all of them fit, else in a list below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lora_lab.ui.markup import safe

LETTER = 7.2  # user units for a letter of a name: a wide one's, since the browser has the font
WIDEST = 0.26  # of a chart's width that names may take
FEWEST = 5  # letters of the value under a name
GAP, APART = 8.0, 27.0  # from the plane, and between two names that have their value below them
SAMPLE = '<svg viewBox="0 0 30 10" aria-hidden="true"><path class="line" d="M0 5H30"/></svg>'


@dataclass(frozen=True)
class End:
    """A curve's name, its last value as text, its look, and the height that it ends at."""

    name: str
    last: str
    style: int
    y: float


def room(names: Sequence[str], width: float) -> float:
    """The user units beside a plane that the names take; 0 where they do not fit."""
    if not names:
        return 0.0
    wanted = 2 * GAP + LETTER * max(FEWEST, *map(len, names))
    return wanted if wanted <= WIDEST * width else 0.0


def beside(ends: Sequence[End], x: float, top: float, floor: float) -> str:
    """As SVG from x on, between two heights, never on top of each other."""
    ordered = sorted(ends, key=lambda end: end.y)
    gap, spots = min(APART, (floor - top) / len(ordered)), list[float]()
    for end in ordered:
        spots.append(max(end.y, spots[-1] + gap) if spots else max(end.y, top + 2.0))
    lowest = floor - 14
    for place in reversed(range(len(spots))):  # what came too low pushes up no more than it must
        spots[place] = min(spots[place], lowest)
        lowest = spots[place] - gap
    return "".join(_end(end, x + GAP, y, gap) for end, y in zip(ordered, spots, strict=True))


def _end(end: End, x: float, y: float, gap: float) -> str:
    last = f'<text class="last" x="{x:.0f}" y="{y + 13:.1f}">{safe(end.last)}</text>'
    return (
        f'<g class="series s{end.style}"><text class="name" x="{x:.0f}" y="{y:.1f}">'
        f"{safe(end.name)}</text>{last if gap >= APART - 1 else ''}</g>"
    )


def below(ends: Sequence[End]) -> str:
    """As a list under the chart: the look of each line, its name and its last value."""
    keys = "".join(
        f'<li class="series s{end.style}">{SAMPLE}<span class="key">{safe(end.name)}</span>'
        f" <span>{safe(end.last)}</span></li>"
        for end in ends
    )
    return f'<ul class="keys">{keys}</ul>' if keys else ""
