"""Figures to keep, drawn with matplotlib. Figure objects only: pyplot's state is not made for
a server where several people draw at once."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from lora_lab.words import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#3565f0", "#c2570c", "#0f8a5f", "#9333c7", "#b4234a", "#56657a")
MARKERS = "osD^vP"


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


def png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def plain(name: str) -> str:
    """A name that matplotlib does not take for mathematics."""
    return name.replace("$", r"\$")
