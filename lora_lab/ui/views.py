"""Which charts and notes each kind of experiment shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lora_lab.ui import raceviews, sweepviews
from lora_lab.ui.arms import Told
from lora_lab.ui.plane import Chart, panels


@dataclass(frozen=True)
class View:
    """charts(told, language, …) and notes(told, language), the latter as HTML."""

    charts: Callable[..., list[Chart]]
    notes: Callable[[Told, str], str]


VIEWS = {
    "race": View(raceviews.charts, raceviews.notes),
    "alpha": View(sweepviews.alpha_charts, sweepviews.alpha_notes),
    "grid": View(sweepviews.grid_charts, sweepviews.grid_notes),
    "few": View(sweepviews.few_charts, sweepviews.few_notes),
    "init": View(sweepviews.init_charts, sweepviews.init_notes),
}


def charts(told: Told, language: str, *choices: str) -> list[Chart]:
    """choices: what a race's chart of quality shows (raceviews.ACROSS, raceviews.UP)."""
    return VIEWS[told["experiment"]["kind"]].charts(told, language, *choices)


def drawn(told: Told, language: str, *choices: str) -> str:
    """All of it as HTML."""
    notes = VIEWS[told["experiment"]["kind"]].notes(told, language)
    return panels(charts(told, language, *choices), language) + notes
