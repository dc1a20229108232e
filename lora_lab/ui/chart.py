"""Curves of the loss as inline SVG: a pure function from points to text.

A series is told apart by its colour, its dash and marker, and its name at the line's end, so that
none of them is needed alone. The chart is drawn twice, wide and narrow, since text in a scaled
SVG would shrink with it; the page's style shows the one that fits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lora_lab.ui.markup import safe
from lora_lab.words import number, say

SIZES = {"wide": (720, 300), "narrow": (360, 270)}  # user units, the pixels they are shown at
POINTS = 160  # at most so many points of a series carry a tooltip, and so many are drawn
LEFT, RIGHT, TOP, BOTTOM = 46, 116, 26, 48


@dataclass(frozen=True)
class Series:
    """One curve. points: (step, loss in nats a token); style: 0 to 5, the look of line and marker;
    marked: with a marker on each point."""

    name: str
    points: list[tuple[float, float]]
    style: int = 0
    marked: bool = False


@dataclass(frozen=True)
class Frame:
    """Maps steps and losses to the user units of one SVG."""

    width: int
    height: int
    steps: list[float]
    losses: list[float]

    def x(self, step: float) -> float:
        span = self.steps[-1] - self.steps[0]
        return LEFT + (step - self.steps[0]) / span * (self.width - LEFT - RIGHT)

    def y(self, loss: float) -> float:
        span = self.losses[-1] - self.losses[0]
        return self.height - BOTTOM - (loss - self.losses[0]) / span * (self.height - TOP - BOTTOM)


def loss_chart(
    series: list[Series], language: str, *, last_step: int = 0, epochs_a_step: float = 0.0
) -> str:
    """The chart as HTML. last_step: where the run will end (0: at the last point);
    epochs_a_step: with it, epochs stand below the steps (0: left out)."""
    series = [Series(s.name, _thinned(s.points), s.style, s.marked) for s in series if s.points]
    if not series:
        return f'<div class="chart empty"><p>{safe(say("chart.empty", language))}</p></div>'
    drawn = "".join(
        _svg(size, series, language, last_step, epochs_a_step, name) for name, size in SIZES.items()
    )
    return f'<div class="chart">{drawn}</div>'


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round values from at or under low to at or over high, some `about` of them."""
    if not high > low:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    stride = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / stride + 1e-9), math.ceil(high / stride - 1e-9)
    return [round(i * stride, 10) for i in range(first, last + 1)]


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    points = [(x, y) for x, y in points if math.isfinite(y)]
    stride = math.ceil(len(points) / POINTS)
    return points if stride <= 1 else [*points[: -stride + 1 : stride], points[-1]]


def _svg(
    size: tuple[int, int],
    series: list[Series],
    language: str,
    last_step: int,
    epochs_a_step: float,
    name: str,
) -> str:
    width, height = size
    steps = [x for s in series for x, _ in s.points]
    losses = [y for s in series for _, y in s.points]
    frame = Frame(
        width,
        height,
        [0.0, max(1.0, float(last_step), *steps)],
        ticks(min(losses), max(losses), 5),
    )
    label = say("chart.label", language, series=_spoken(series, language))
    parts = [
        f'<svg class="{name}" viewBox="0 0 {width} {height}" role="img"'
        f' aria-label="{safe(label)}">',
        _axes(frame, language, epochs_a_step, 8 if name == "wide" else 4),
        *(_curve(s, frame, language) for s in series),
        _end_labels(series, frame, language),
        "</svg>",
    ]
    return "".join(parts)


def _spoken(series: list[Series], language: str) -> str:
    return "; ".join(f"{s.name} {number(s.points[-1][1], language, 3)}" for s in series)


def _axes(frame: Frame, language: str, epochs_a_step: float, about: int) -> str:
    parts = []
    right, floor = frame.width - RIGHT, frame.height - BOTTOM
    decimals = 1 if frame.losses[1] - frame.losses[0] >= 0.099 else 2
    for loss in frame.losses:
        y = frame.y(loss)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">'
            f"{number(loss, language, decimals)}</text>"
        )
    for step in ticks(frame.steps[0], frame.steps[-1], about):
        if step > frame.steps[-1] or step != int(step):
            continue
        x = frame.x(step)
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{floor + 16}" text-anchor="middle">'
            f"{number(int(step), language)}</text>"
        )
        if epochs_a_step:
            parts.append(
                f'<text class="tick faint" x="{x:.1f}" y="{floor + 30}" text-anchor="middle">'
                f"{number(step * epochs_a_step, language, 1)}</text>"
            )
    parts.append(
        f'<text class="axis" x="{LEFT - 38}" y="13">{safe(say("chart.loss", language))}</text>'
        f'<text class="axis" x="{right + 26}" y="{floor + 16}">'
        f"{safe(say('chart.step', language))}</text>"
    )
    if epochs_a_step:
        parts.append(
            f'<text class="axis faint" x="{right + 26}" y="{floor + 30}">'
            f"{safe(say('chart.epoch', language))}</text>"
        )
    return "".join(parts)


def _curve(s: Series, frame: Frame, language: str) -> str:
    at = [(frame.x(step), frame.y(loss)) for step, loss in s.points]
    line = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in at)
    dots = []
    for (x, y), (step, loss) in zip(at, s.points, strict=True):
        told = say(
            "chart.point", language, name=s.name, step=int(step), loss=number(loss, language, 3)
        )
        shown = "mark" if s.marked else "spot"
        dots.append(
            f'<circle class="{shown}" cx="{x:.1f}" cy="{y:.1f}" r="{3.5 if s.marked else 5}">'
            f"<title>{safe(told)}</title></circle>"
        )
    return f'<g class="series s{s.style}"><path class="line" d="{line}"/>{"".join(dots)}</g>'


def _end_labels(series: list[Series], frame: Frame, language: str) -> str:
    """Each curve's name and last value, at its end and never on top of each other."""
    ordered = sorted(series, key=lambda s: frame.y(s.points[-1][1]))
    gap, spots = 27.0, list[float]()
    for s in ordered:
        wanted = frame.y(s.points[-1][1])
        spots.append(max(wanted, spots[-1] + gap) if spots else max(wanted, TOP + 2.0))
    over = max(0.0, spots[-1] - (frame.height - BOTTOM - 14))
    x = 10 + max(frame.x(s.points[-1][0]) for s in series)
    texts = []
    for s, spot in zip(ordered, spots, strict=True):
        y = spot - over
        name = s.name if len(s.name) <= 13 else f"{s.name[:12]}…"
        last = number(s.points[-1][1], language, 3)
        texts.append(
            f'<g class="series s{s.style}">'
            f'<text class="name" x="{x:.1f}" y="{y:.1f}">{safe(name)}</text>'
            f'<text class="last" x="{x:.1f}" y="{y + 13:.1f}">{last}</text></g>'
        )
    return "".join(texts)
