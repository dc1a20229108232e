"""Held-out loss over steps: what every kind of experiment shows while its arms train."""

from __future__ import annotations

from collections.abc import Callable

from lora_lab.ui import arms
from lora_lab.ui.arms import Told
from lora_lab.ui.plane import STYLES, Axis, Chart, Line, Point
from lora_lab.words import number, say


def curves(
    groups: list[Told],
    told: Told,
    language: str,
    name: Callable[[Told], str],
    title: str = "ranklab.curves",
) -> list[Chart]:
    """A chart a dataset, a curve an arm. groups: those of told that are drawn; name: what an arm
    is called at its curve; title: the key of the charts' titles, which name the dataset."""
    by_data: dict[str, list[Told]] = {}
    for group in groups:
        by_data.setdefault(group["data"], []).append(group)
    x, y = Axis(say("chart.step", language)), loss_axis(language)
    return [
        Chart(
            say(title, language, data=arms.dataset_name(data, told, language)),
            [_curve(place, group, name(group), language) for place, group in enumerate(some)],
            x,
            y,
        )
        for data, some in by_data.items()
    ]


def loss_axis(language: str) -> Axis:
    return Axis(say("ranklab.axis.heldout_loss", language))


def _curve(place: int, group: Told, name: str, language: str) -> Line:
    points = [
        Point(
            step,
            loss,
            say("chart.point", language, name=name, step=step, loss=number(loss, language, 3)),
            low if low < high else None,
            high if low < high else None,
        )
        for step, loss, low, high in group["curve"]
    ]
    return Line(name, points, place % STYLES)
