"""Curves over any axis as inline SVG: quality against rank, against size, against alpha.

As chart.py draws the loss over steps: once for each width, so that text keeps its size; each curve
told apart by colour, dash and its name, at its end where all names fit, else in a list below. A
band shows how far seeds spread.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from lora_lab.ui import chart, names
from lora_lab.ui.chart import BOTTOM, LEFT, ticks
from lora_lab.ui.markup import safe
from lora_lab.words import number, say

SIZES = {**chart.SIZES, "middle": (530, 290)}
STYLES = 8  # looks of a line that can be told apart
EDGE, TOP = 14, 30
PAD = 0.06  # of the width, kept free at both ends


@dataclass(frozen=True)
class Point:
    """told: what a tooltip says of it. low, high: how far it spreads."""

    x: float
    y: float
    told: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """One curve; style: the look, 0 to 7. lined: whether its points are joined."""

    name: str
    points: list[Point]
    style: int = 0
    lined: bool = True


@dataclass(frozen=True)
class Axis:
    """What stands at an axis. log: each power as wide as the next. marks: (value, text) in place
    of round values. write: how a value reads."""

    label: str
    log: bool = False
    marks: list[tuple[float, str]] = field(default_factory=list)
    write: Callable[[float], str] | None = None


@dataclass(frozen=True)
class Chart:
    """A plane and what stands over it."""

    title: str
    lines: list[Line]
    x: Axis
    y: Axis


def panels(charts: list[Chart], language: str) -> str:
    """The charts beside or below each other, each under its title; the first has the whole width
    where it would be left alone."""
    drawn = []
    for place, each in enumerate(charts):
        whole = " whole" if place == 0 and len(charts) % 2 else ""
        drawn.append(
            f'<section class="panel{whole}"><h2>{safe(each.title)}</h2>'
            f"{plane(each.lines, each.x, each.y, language)}</section>"
        )
    return f'<div class="panels">{"".join(drawn)}</div>'


def plane(lines: list[Line], x: Axis, y: Axis, language: str) -> str:
    """The chart as HTML; an empty one says that nothing is there yet."""
    lines = [line for line in lines if line.points]
    if not lines:
        return f'<div class="chart empty"><p>{safe(say("chart.empty", language))}</p></div>'
    drawn = "".join(_Plane(lines, x, y, language, *SIZES[name]).html(name) for name in SIZES)
    return f'<div class="chart plane">{drawn}</div>'


class _Plane:
    """One SVG of it, in user units."""

    def __init__(self, lines: list[Line], x: Axis, y: Axis, language: str, width: int, height: int):
        self.lines, self.x, self.y, self.language = lines, x, y, language
        self.width, self.height = width, height
        points = [point for line in lines for point in line.points]
        values = [self._scaled(point.x) for point in points]
        self.left, self.right = min(values), max(values)
        if self.right - self.left < 1e-12:
            self.left, self.right = self.left - 1, self.right + 1
        self.named = [line for line in lines if line.name]
        room = names.room([line.name for line in self.named], width)
        self.beside, self.margin = room > 0, room or EDGE
        heights = [v for p in points for v in (p.y, p.low, p.high) if v is not None]
        self.levels = ticks(min(heights), max(heights), 5)

    def html(self, name: str) -> str:
        """name: of the size, by which the page's style shows the one that fits."""
        keys = "" if self.beside else names.below(self._ends())
        return f'<div class="{name}">{self._svg(3 if name == "narrow" else 6)}{keys}</div>'

    def _svg(self, marks: int) -> str:
        ends = self._ends()
        label = say(
            "plane.label",
            self.language,
            y=self.y.label,
            x=self.x.label,
            series="; ".join(f"{end.name} {end.last}" for end in ends),
        )
        parts = [
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{safe(label)}">',
            self._levels(),
            self._marks(marks),
            *(self._band(line) for line in self.lines if line.lined),
            *(self._line(line) for line in self.lines),
            names.beside(ends, self.width - self.margin, TOP, self.height - BOTTOM)
            if self.beside
            else "",
            "</svg>",
        ]
        return "".join(parts)

    def _ends(self) -> list[names.End]:
        return [
            names.End(
                line.name,
                self.y.write(line.points[-1].y)
                if self.y.write
                else number(line.points[-1].y, self.language, 3),
                line.style,
                self._y(line.points[-1].y),
            )
            for line in self.named
        ]

    def _scaled(self, value: float) -> float:
        return math.log2(max(value, 1e-12)) if self.x.log else value

    def _x(self, value: float) -> float:
        share = (self._scaled(value) - self.left) / (self.right - self.left)
        across = self.width - LEFT - self.margin
        return LEFT + across * (PAD + (1 - 2 * PAD) * share)

    def _y(self, value: float) -> float:
        share = (value - self.levels[0]) / (self.levels[-1] - self.levels[0])
        return self.height - BOTTOM - share * (self.height - TOP - BOTTOM)

    def _levels(self) -> str:
        right = self.width - self.margin
        step = self.levels[1] - self.levels[0]
        decimals = max(0, min(4, math.ceil(-math.log10(step) - 1e-9)))
        parts = []
        for level in self.levels:
            y = self._y(level)
            told = self.y.write(level) if self.y.write else number(level, self.language, decimals)
            parts.append(
                f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>'
                f'<text class="tick" x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">'
                f"{safe(told)}</text>"
            )
        parts.append(f'<text class="axis" x="{LEFT - 38}" y="13">{safe(self.y.label)}</text>')
        return "".join(parts)

    def _marks(self, about: int) -> str:
        floor = self.height - BOTTOM
        parts, last = [], -math.inf
        for value, told in self.x.marks or self._round(about):
            x = self._x(value)
            if x - last < 7 * len(told) + 4:
                continue  # no room for it beside the one before
            last = x
            parts.append(
                f'<path class="grid" d="M{x:.1f} {floor}v4"/>'
                f'<text class="tick" x="{x:.1f}" y="{floor + 18}" text-anchor="middle">'
                f"{safe(told)}</text>"
            )
        middle = LEFT + (self.width - LEFT - self.margin) / 2
        parts.append(
            f'<text class="axis" x="{middle:.0f}" y="{floor + 37}" text-anchor="middle">'
            f"{safe(self.x.label)}</text>"
        )
        return "".join(parts)

    def _round(self, about: int) -> list[tuple[float, str]]:
        """Round values between the ends; on a logarithmic axis, powers of ten and their halves."""
        write = self.x.write or (lambda value: number(value, self.language))
        if not self.x.log:
            inside = ticks(self.left, self.right, about)
            return [(v, write(v)) for v in inside if self.left <= v <= self.right]
        low, high = 2**self.left, 2**self.right
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        candidates = [m * 10.0**power for power in powers for m in (1, 2, 5)]
        inside = [v for v in candidates if low * 0.999 <= v <= high * 1.001]
        stride = max(1, math.ceil(len(inside) / about))
        return [(v, write(v)) for v in inside[::stride]]

    def _band(self, line: Line) -> str:
        spread = [p for p in line.points if p.low is not None and p.high is not None]
        if len(spread) < 2:
            return ""
        there = [f"{self._x(p.x):.1f} {self._y(p.high):.1f}" for p in spread]  # type: ignore[arg-type]
        back = [f"{self._x(p.x):.1f} {self._y(p.low):.1f}" for p in reversed(spread)]  # type: ignore[arg-type]
        outline = "L".join(there + back)
        return f'<g class="series s{line.style}"><path class="band" d="M{outline}Z"/></g>'

    def _line(self, line: Line) -> str:
        at = [(self._x(p.x), self._y(p.y)) for p in line.points]
        joined = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in at)
        path = f'<path class="line" d="{joined}"/>' if line.lined and len(at) > 1 else ""
        spreads = "".join(self._whisker(point) for point in line.points)
        dots = "".join(
            f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{safe(p.told)}</title>'
            "</circle>"
            for (x, y), p in zip(at, line.points, strict=True)
        )
        return f'<g class="series s{line.style}">{path}{spreads}{dots}</g>'

    def _whisker(self, point: Point) -> str:
        if point.low is None or point.high is None or point.low == point.high:
            return ""
        x = self._x(point.x)
        low, high = self._y(point.low), self._y(point.high)
        return f'<path class="line whisker" d="M{x:.1f} {low:.1f}V{high:.1f}"/>'
