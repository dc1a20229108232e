"""Figures to keep, drawn with matplotlib. Figure objects only: pyplot's state is not made for
a server where several people draw at once."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lora_lab.words import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = (
    "#3565f0", "#c2570c", "#0f8a5f", "#9333c7", "#b4234a", "#56657a", "#0e7490", "#8a6d0b",
)  # fmt: skip
MARKERS = "osD^vPX*"
PAGE = (11.69, 8.27)  # inches: A4 on its side


def loss_figure(runs: list[tuple[str, list[dict[str, Any]]]], language: str) -> Figure:
    """Loss in nats a token over steps: train as a solid line, held-out dashed with markers.

    runs: each a name and its events (see runs/folder.py).
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=150, layout="constrained")
    axes = figure.subplots()
    for place, (name, events) in enumerate(runs):
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        for kind, key, look in (
            ("train", "chart.train", {"linestyle": "-", "linewidth": 1.2, "alpha": 0.7}),
            ("heldout", "chart.heldout", {"linestyle": "--", "marker": marker}),
        ):
            points = [(e["step"], e["loss"]) for e in events if e["kind"] == kind]
            label = f"{plain(name)} · {say(key, language)}"
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, label=label, **look)
    axes.set_xlabel(say("chart.step", language))
    axes.set_ylabel(say("chart.loss", language))
    axes.grid(alpha=0.3)
    if axes.has_data():
        axes.legend(frameon=False, fontsize="small")
    return figure


@dataclass(frozen=True)
class Curve:
    """points: (x, y, low, high), the last two None where nothing spread; style: its look."""

    name: str
    points: Sequence[tuple[float, float, float | None, float | None]]
    style: int = 0
    lined: bool = True


@dataclass(frozen=True)
class Panel:
    """One plot of a report. marks: (value, text) at the lower axis; log: of that axis."""

    title: str
    curves: Sequence[Curve]
    x: str
    y: str
    log: bool = False
    marks: Sequence[tuple[float, str]] = field(default_factory=list)


def report(title: str, panels: Sequence[Panel], facts: Sequence[str]) -> Figure:
    """One page: the panels in two columns under the title, and the facts in small below."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=PAGE, dpi=150, layout="constrained")
    columns = 1 if len(panels) == 1 else 2
    rows = max(1, -(-len(panels) // columns))
    figure.suptitle(plain(title), fontsize=15, fontweight="bold")
    places = list(figure.subplots(rows, columns, squeeze=False).flat)
    for place, panel in zip(places, panels, strict=False):
        _draw(place, panel)
    for place in places[len(panels) :]:
        place.set_axis_off()
    figure.supxlabel(plain("\n".join(facts)), fontsize=7, color="#56657a", ha="left", x=0.02)
    return figure


def _draw(axes: Any, panel: Panel) -> None:
    for curve in panel.curves:
        colour = COLOURS[curve.style % len(COLOURS)]
        xs, ys, lows, highs = zip(*curve.points, strict=True)
        axes.plot(
            xs,
            ys,
            color=colour,
            marker=MARKERS[curve.style % len(MARKERS)],
            markersize=5,
            linestyle="-" if curve.lined else "none",
            label=plain(curve.name) if curve.name else None,
        )
        if None not in lows:
            below = [y - low for y, low in zip(ys, lows, strict=True)]
            above = [high - y for y, high in zip(ys, highs, strict=True)]
            axes.errorbar(xs, ys, [below, above], fmt="none", ecolor=colour, capsize=3)
    if panel.log:
        axes.set_xscale("log")
    if panel.marks:
        axes.set_xticks([at for at, _ in panel.marks], [plain(text) for _, text in panel.marks])
        axes.minorticks_off()
    axes.set_title(plain(panel.title), fontsize=11)
    axes.set_xlabel(plain(panel.x))
    axes.set_ylabel(plain(panel.y))
    axes.grid(alpha=0.3)
    if any(curve.name for curve in panel.curves):
        axes.legend(frameon=False, fontsize="small")


def drawn(figure: Figure, kind: str) -> bytes:
    """The file of it; kind: "png" or "pdf"."""
    file = io.BytesIO()
    figure.savefig(file, format=kind)
    return file.getvalue()


def plain(name: str) -> str:
    """A name that matplotlib does not take for mathematics."""
    return name.replace("$", r"\$")
