"""Which charts and notes each kind of experiment shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lora_lab.ui.arms import Told
from lora_lab.ui.plane import Chart, panels
from lora_lab.ui.views import alpha, few, grid, init, race


@dataclass(frozen=True)
class View:
    """verdict(told, language): what it came to; charts(told, language, …), the one that answers the
    question first; table(told, language): the figures. The first and the last as HTML, empty where
    there is nothing to tell yet."""

    verdict: Callable[[Told, str], str]
    charts: Callable[..., list[Chart]]
    table: Callable[[Told, str], str]


VIEWS = {
    name: View(kind.verdict, kind.charts, kind.table)
    for name, kind in (
        ("race", race), ("alpha", alpha), ("grid", grid), ("few", few), ("init", init)
    )
}  # fmt: skip


def charts(told: Told, language: str, *choices: str) -> list[Chart]:
    """choices: what a race's chart of quality shows (race.ACROSS, race.UP)."""
    return VIEWS[told["experiment"]["kind"]].charts(told, language, *choices)


def verdict(told: Told, language: str) -> str:
    return VIEWS[told["experiment"]["kind"]].verdict(told, language)


def figures(told: Told, language: str, *choices: str) -> str:
    """Charts and table as HTML."""
    table = VIEWS[told["experiment"]["kind"]].table(told, language)
    return panels(charts(told, language, *choices), language) + table


def drawn(told: Told, language: str) -> str:
    """All of it."""
    return verdict(told, language) + figures(told, language)
