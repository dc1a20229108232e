"""What the Runs tab does: choose, look at, open, resume and delete one's own runs."""

from __future__ import annotations

from typing import Any

import gradio as gr

from lora_lab import lab
from lora_lab.ui import forgetting, runs, views
from lora_lab.ui.calm import calmly
from lora_lab.ui.exports import links
from lora_lab.ui.identity import owner
from lora_lab.ui.markup import safe
from lora_lab.ui.reports import report_links
from lora_lab.ui.runs import RunsTab
from lora_lab.ui.training import QUIET
from lora_lab.words import say


class Running:
    """The handlers of one language's Runs tab."""

    def __init__(self, tab: RunsTab, language: str):
        self.tab, self.language = tab, language

    def list_runs(self, request: gr.Request, wanted: str, chosen: list[str]) -> list[Any]:
        mine = lab.runs(owner(request))
        choices = runs.choices(mine, wanted or "", self.language)
        shown = {run for _, run in choices}
        kept = [run for run in chosen or [] if run in shown]
        key = "" if choices else ("runs.none_found" if mine else "runs.none_yet")
        empty = (
            f'<div class="empty-state"><p>{safe(say(key, self.language))}</p></div>' if key else ""
        )
        listed = {"choices": choices, "visible": bool(choices)}
        # The choice is touched only where it must be: somebody may be choosing meanwhile.
        if kept != (chosen or []):
            listed["value"] = kept
        return [empty, gr.update(**listed)]

    def show(self, request: gr.Request, chosen: list[str]) -> list[Any]:
        """Curves, differences and links of the chosen runs, and which buttons make sense."""
        who = owner(request)
        told = [lab.run(run, who) for run in chosen or []]
        one = len(told) == 1
        states = {run["state"] for run in told}
        buttons = [
            gr.update(interactive=one),
            gr.update(interactive=bool(states) and states <= {"stopped", "failed"}),
            gr.update(interactive=bool(states) and "running" not in states),
        ]
        hidden = gr.update(visible=False)
        if not told:
            return [*buttons, hidden, "", "", "", ""]
        if one and "experiment" in told[0]:
            race = lab.experiment(told[0]["id"], who)
            page = report_links(race["id"], self.language)
            return [*buttons, hidden, page, views.drawn(race, self.language), "", ""]
        told = [run for run in told if "experiment" not in run]  # their arms are no single curve
        if not told:
            return [*buttons, hidden, "", "", "", ""]
        events = [lab.events(run["id"], who)[0] for run in told]
        chart = runs.overlay(list(zip(told, events, strict=True)), self.language)
        return [
            *buttons,
            hidden,
            links(told, self.language),
            chart,
            runs.differences(told, self.language),
            "" if one else forgetting.chart(told, self.language),
        ]

    def resume(self, request: gr.Request, chosen: list[str]) -> list[Any]:
        for run in chosen or []:
            lab.resume(run, owner(request))
        return []

    def ask(self, chosen: list[str]) -> list[Any]:
        question = say("runs.sure", self.language, count=len(chosen or []))
        return [gr.update(visible=bool(chosen)), f"<p><strong>{safe(question)}</strong></p>"]

    def delete(self, request: gr.Request, chosen: list[str]) -> list[Any]:
        for run in chosen or []:
            lab.delete(run, owner(request))
        return [gr.update(visible=False)]


def wire(tab: RunsTab, language: str, shown: list[Any]) -> None:
    """shown: the events on which the list is read anew."""
    does = Running(tab, language)
    listed = [tab.empty, tab.chosen, tab.problem]
    list_runs = calmly(language, 2)(does.list_runs)
    asked = {"fn": list_runs, "inputs": [tab.find, tab.chosen], "outputs": listed, **QUIET}
    gr.on([*shown, tab.find.change], trigger_mode="always_last", **asked)
    drawn = [tab.open, tab.resume, tab.delete, tab.confirm, tab.keep, tab.chart, tab.table]
    drawn.append(tab.forgetting)
    show = calmly(language, len(drawn))(does.show)
    look = {"fn": show, "inputs": tab.chosen, "outputs": [*drawn, tab.problem], **QUIET}
    tab.chosen.change(**look)
    visit = "(chosen) => window.loraLab.visit(chosen[0])"
    tab.open.click(None, tab.chosen, None, js=visit, api_visibility="private")
    resume = calmly(language, 0)(does.resume)
    tab.resume.click(resume, tab.chosen, tab.problem, **QUIET).success(**asked).success(**look)
    question = [tab.confirm, tab.question, tab.problem]
    tab.delete.click(calmly(language, 2)(does.ask), tab.chosen, question, **QUIET)
    tab.no.click(lambda: gr.update(visible=False), None, tab.confirm, **QUIET)
    delete = calmly(language, 1)(does.delete)
    deleted = tab.yes.click(delete, tab.chosen, [tab.confirm, tab.problem], **QUIET)
    deleted.success(**asked).success(**look)
