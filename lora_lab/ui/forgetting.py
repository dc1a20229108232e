"""Learned against forgotten, a labelled point for each run, as inline SVG.

forgotten ▲        ● 4 · full          to the right: what training took off the held-out loss
          │   ● 1 · r 8                upwards: what it added to the loss on the base's own
     base ○──────────────► learned     kind of text
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lora_lab.ui import live
from lora_lab.ui.chart import SIZES, ticks
from lora_lab.ui.markup import safe
from lora_lab.words import number, say

STYLES = 6
LEFT, RIGHT, TOP, BOTTOM = 52, 70, 30, 46
LINE, LETTER = 15.0, 7.0  # user units: a label's height, and a letter's width


@dataclass(frozen=True)
class Point:
    """learned, forgotten: nats a token."""

    name: str
    learned: float
    forgotten: float
    style: int


def chart(runs: list[dict[str, Any]], language: str) -> str:
    """The chart of the runs that have both figures; nothing where none has."""
    points = [_point(place, run, language) for place, run in enumerate(runs) if measured(run)]
    if not points:
        return ""
    drawn = "".join(_svg(name, size, points, language) for name, size in SIZES.items())
    head = safe(say("forgetting.title", language))
    note = safe(say("forgetting.help", language))
    return f'<h3>{head}</h3><p class="note">{note}</p><div class="chart">{drawn}</div>'


def measured(run: dict[str, Any]) -> bool:
    """Whether the run's result tells what was learned and what was forgotten."""
    result = run["result"] or {}
    return None not in (result.get("heldout_loss"), result.get("base_text_loss"))


def forgotten(result: dict[str, Any]) -> float:
    """What training added to the loss on the base's own kind of text."""
    return result["base_text_loss"] - result["base_text_loss_before"]


def _point(place: int, run: dict[str, Any], language: str) -> Point:
    result = run["result"]
    learned = result["heldout_loss_before"] - result["heldout_loss"]
    name = live.short_name(place, run, language)
    return Point(name, learned, forgotten(result), place % STYLES)


@dataclass(frozen=True)
class _Frame:
    """Maps nats to the user units of one SVG."""

    width: int
    height: int
    learned: list[float]
    forgotten: list[float]

    def x(self, value: float) -> float:
        share = (value - self.learned[0]) / (self.learned[-1] - self.learned[0])
        return LEFT + share * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.forgotten[0]) / (self.forgotten[-1] - self.forgotten[0])
        return self.height - BOTTOM - share * (self.height - TOP - BOTTOM)


def _svg(name: str, size: tuple[int, int], points: list[Point], language: str) -> str:
    across, up = ([0.0, *(getattr(p, axis) for p in points)] for axis in ("learned", "forgotten"))
    frame = _Frame(
        *size,
        ticks(min(across), max(across), 7 if name == "wide" else 4),
        ticks(min(up), max(up), 5),
    )
    told = "; ".join(_told(point, language) for point in points)
    label = safe(say("forgetting.label", language, points=told))
    return (
        f'<svg class="{name}" viewBox="0 0 {size[0]} {size[1]}" role="img" aria-label="{label}">'
        + _axes(frame, language)
        + _labelled(points, frame, language)
        + "</svg>"
    )


def _axes(frame: _Frame, language: str) -> str:
    right, floor = frame.width - RIGHT, frame.height - BOTTOM
    parts = []
    for level in frame.forgotten:
        y = frame.y(level)
        parts.append(
            f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>'
            f'<text class="tick" x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">'
            f"{number(level, language, _decimals(frame.forgotten))}</text>"
        )
    for value in frame.learned:
        parts.append(
            f'<text class="tick" x="{frame.x(value):.1f}" y="{floor + 16}" text-anchor="middle">'
            f"{number(value, language, _decimals(frame.learned))}</text>"
        )
    parts.append(
        f'<text class="axis" x="{LEFT - 44}" y="13">'
        f"{safe(say('forgetting.forgotten', language))}</text>"
        f'<text class="axis" x="{(LEFT + right) / 2:.0f}" y="{floor + 36}" text-anchor="middle">'
        f"{safe(say('forgetting.learned', language))}</text>"
    )
    return "".join(parts)


def _decimals(levels: list[float]) -> int:
    """As many as tell one level from the next in full: 3 for 0.025."""
    step = levels[1] - levels[0]
    return next((d for d in range(4) if abs(step - round(step, d)) < 1e-9), 4)


def _labelled(points: list[Point], frame: _Frame, language: str) -> str:
    """Each point with its name beside it, never on top of another's."""
    base = say("compare.base", language)
    x, y = frame.x(0), frame.y(0)
    taken = [(x, x + 9 + LETTER * len(base), y - 8)]  # from x to x, at y
    parts = [
        _dot(x, y, "base", base),
        f'<text class="faint" x="{x + 7:.1f}" y="{y - 8:.1f}">{safe(base)}</text>',
    ]
    for point in sorted(points, key=lambda point: frame.y(point.forgotten)):
        x, y = frame.x(point.learned), frame.y(point.forgotten)
        wide = 10 + LETTER * len(point.name)
        left = x + 9 if x + wide < frame.width else x - wide
        at = y + 4
        while any(a < left + wide and left < b and abs(at - c) < LINE for a, b, c in taken):
            at += 1
        taken.append((left, left + wide, at))
        parts.append(
            f'<g class="series s{point.style}">'
            + _dot(x, y, "mark", _told(point, language))
            + f'<text class="name" x="{left:.1f}" y="{at:.1f}">{safe(point.name)}</text></g>'
        )
    return "".join(parts)


def _dot(x: float, y: float, kind: str, told: str) -> str:
    return (
        f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4.5"><title>{safe(told)}</title>'
        "</circle>"
    )


def _told(point: Point, language: str) -> str:
    return say(
        "forgetting.point",
        language,
        name=point.name,
        learned=number(point.learned, language, 3),
        forgotten=number(point.forgotten, language, 3),
    )
