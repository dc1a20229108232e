"""Which touch of the Rank lab leads to which handler, and what an opened page shows of it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from lora_lab import lab
from lora_lab.config import Settings
from lora_lab.errors import LabError
from lora_lab.ui import arms, stopping
from lora_lab.ui.calm import calmly
from lora_lab.ui.experimenting import Experimenting
from lora_lab.ui.form import written
from lora_lab.ui.identity import owner
from lora_lab.ui.live import data_name
from lora_lab.ui.markup import problem_card, safe
from lora_lab.ui.ranklab import RankLab, Section
from lora_lab.ui.training import QUIET, Training
from lora_lab.words import say

TASK = "race"


def basis(language: str, trains: Training, *values: Any) -> list[Any]:
    """One line: on what all experiments here are made."""
    chosen: Settings = trains.settings(values)
    text = say(
        "ranklab.basis",
        language,
        model=chosen.model.rsplit("/", 1)[-1],
        data=data_name(chosen.data, language) or say("ranklab.upload", language),
        rank=chosen.rank,
        targets=written("targets", chosen.targets, language),
    )
    return [f'<p class="note">{safe(text)}</p>']


def found(language: str, kinds: list[str], request: gr.Request) -> list[Any]:
    """The page was opened: the experiment that its address names and one's newest of each other
    kind; which tab and section to show; a card where the address names none of one's own."""
    who, query = owner(request), request.query_params
    wanted, runs, card = query.get("race", ""), dict.fromkeys(kinds, ""), ""
    mine = {each["id"]: each for each in lab.runs(who) if each["task"] == TASK}
    for run in reversed(list(mine.values())):
        runs[run["experiment"]["kind"]] = run["id"]
    tabs = [gr.skip(), gr.skip()]
    if wanted and wanted not in mine:
        card = problem_card(LabError("no_such_run", run=wanted[:60]), language)
    shown = mine.get(wanted) or mine.get(query.get("run", ""))
    if shown:
        kind = shown["experiment"]["kind"]
        runs[kind] = shown["id"]
        tabs = [gr.update(selected="ranklab"), gr.update(selected=kind)]
    return [*tabs, *runs.values(), card]


def wire(tab: RankLab, trains: Training, demo: gr.Blocks, tabs: gr.Tabs, mine: gr.Tab) -> None:
    """tabs: the page's own; mine: the one of them that holds the Rank lab."""
    language, sections = trains.language, tab.sections
    values = trains.tab.form.all
    first = sections["race"]

    def opened(request: gr.Request) -> list[Any]:
        return found(language, list(sections), request)

    runs = [section.run for section in sections.values()]
    demo.load(opened, None, [tabs, tab.tabs, *runs, first.trouble], **QUIET)

    def told_basis(*now: Any) -> list[Any]:
        return basis(language, trains, *now)

    shown = [mine.select, trains.tab.opened.change]
    gr.on(shown, calmly(language, 1)(told_basis), values, [tab.basis, first.problem], **QUIET)
    for section in sections.values():
        _wire_section(section, Experimenting(section, trains), mine)
    _own_file(first, trains)


def _wire_section(section: Section, does: Experimenting, mine: gr.Tab) -> None:
    language, live = does.language, section.live
    inputs = [does.trains.tab.uploaded, *section.controls.values(), *does.trains.tab.form.all]
    forecast = calmly(language, 1)(does.forecast)
    touched = [control.change for control in section.controls.values()]
    gr.on(
        [*touched, mine.select], forecast, inputs, [section.forecast, section.problem],
        trigger_mode="always_last", **QUIET,
    )  # fmt: skip
    start = calmly(language, 3)(does.start)
    begun = [section.run, section.seen, section.stop, section.problem]
    started = section.go.click(start, inputs, begun, **QUIET)
    show = "(run) => window.loraLab.openRace(run)"
    started.success(None, section.run, None, js=show, api_visibility="private")
    look = calmly(language, len(live))(does.look)
    view = list(section.view.values())
    shown: dict[str, Any] = {"fn": look, "inputs": [section.run, section.seen, *view]}
    shown |= {"outputs": [*live, section.trouble], "trigger_mode": "always_last", **QUIET}
    gr.on([section.clock.tick, section.run.change, *(each.change for each in view)], **shown)
    shelve = calmly(language, 1)(does.shelve)
    shelved = [section.shelved, section.trouble]
    section.shelve.click(shelve, [section.run, section.arm], shelved, **QUIET)
    stopping.wire(section, language).success(**shown)


def _own_file(race: Section, trains: Training) -> None:
    """The upload of the Train tab is a dataset to choose."""
    language = trains.language

    def offered(uploaded: str) -> Any:
        own = trains.own_file(uploaded)
        return gr.update(choices=[*arms.sample_names(language), *([own] if own else [])])

    trains.tab.uploaded.change(offered, trains.tab.uploaded, race.controls["datasets"], **QUIET)
