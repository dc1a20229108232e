"""The Runs tab: one's own runs, their curves over each other, and what differs between them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import gradio as gr

from lora_lab.config import from_json
from lora_lab.ui import arms, forgetting, live
from lora_lab.ui.chart import Series, loss_chart
from lora_lab.ui.facts import differing
from lora_lab.ui.form import written
from lora_lab.ui.markup import safe
from lora_lab.words import number, say

MOST_CURVES = 6  # as many looks of a line can be told apart


@dataclass
class RunsTab:
    """The tab's components that something listens to or writes into."""

    find: gr.Textbox
    chosen: gr.CheckboxGroup
    empty: gr.HTML
    problem: gr.HTML
    open: gr.Button
    resume: gr.Button
    delete: gr.Button
    confirm: gr.Column
    question: gr.HTML
    yes: gr.Button
    no: gr.Button
    keep: gr.HTML
    chart: gr.HTML
    table: gr.HTML
    forgetting: gr.HTML


def lay_out(language: str) -> RunsTab:
    parts: dict[str, Any] = {}
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=280):
            parts["find"] = gr.Textbox(
                label=say("runs.find.label", language),
                info=say("runs.find.help", language),
                max_lines=1,
            )
            parts["empty"] = gr.HTML()
            parts["chosen"] = gr.CheckboxGroup(
                [],
                label=say("runs.chosen.label", language),
                info=say("runs.chosen.help", language),
                elem_classes="run-list",
            )
        with gr.Column(scale=7, min_width=280):
            parts |= _chosen(language)
    return RunsTab(**parts)


def _chosen(language: str) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Row():
        for name in ("open", "resume", "delete"):
            parts[name] = gr.Button(
                say(f"runs.{name}", language), size="md", min_width=100, interactive=False
            )
    with gr.Column(visible=False) as parts["confirm"]:
        parts["question"] = gr.HTML()
        with gr.Row():
            parts["yes"] = gr.Button(say("runs.yes", language), variant="stop", size="md")
            parts["no"] = gr.Button(say("runs.no", language), size="md")
    for name in ("problem", "keep", "chart", "table", "forgetting"):
        parts[name] = gr.HTML()
    return parts


def choices(runs: list[dict[str, Any]], wanted: str, language: str) -> list[tuple[str, str]]:
    """(what a person reads, id) of the runs whose line has every word of wanted in it."""
    lines = [(line(run, language), run["id"]) for run in runs]
    words = wanted.lower().split()
    return [pair for pair in lines if all(word in pair[0].lower() for word in words)]


def line(run: dict[str, Any], language: str) -> str:
    """A run in one line: what, how it stands, when (on this machine's clock)."""
    begun = datetime.strptime(run["id"][:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC).astimezone()
    state = say(f"run.state.{run['state']}", language)
    told = f"{title(run, language)} · {state}"
    result = run["result"]
    if result and result["heldout_loss"] is not None:
        told += f" · {number(result['heldout_loss_before'], language, 2)} → "
        told += number(result["heldout_loss"], language, 2)
    return f"{told} · {begun:%d-%m %H:%M}"


def title(run: dict[str, Any], language: str) -> str:
    """What a run is called; an experiment by its kind."""
    named = arms.title if "experiment" in run else live.title
    return named(run, language)


def overlay(runs: list[tuple[dict[str, Any], live.Events]], language: str) -> str:
    """The held-out curves of the chosen runs; of a single one, its training curve as well."""
    if len(runs) == 1:
        return live.curves(*runs[0], language)
    series = [
        Series(
            live.short_name(place, run, language),
            live.points(events, "heldout"),
            style=place,
            marked=True,
        )
        for place, (run, events) in enumerate(runs[:MOST_CURVES])
    ]
    return loss_chart(series, language)


def differences(runs: list[dict[str, Any]], language: str) -> str:
    """A table of the settings that differ, and of what came of it, a column a run."""
    settings = [from_json(run["settings"]) for run in runs]
    names = differing(settings)
    rows = [
        (
            say(f"setting.{name}.label", language),
            [written(name, getattr(s, name), language) for s in settings],
        )
        for name in names
    ]
    if len({run["data"]["name"] for run in runs}) > 1 and "data" not in names:
        names_of_data = [live.data_name(run["data"]["name"], language) for run in runs]
        rows.insert(0, (say("setting.data.label", language), names_of_data))
    rows.append((say("runs.heldout", language), [_loss(run, language) for run in runs]))
    rows.append((say("runs.english", language), [_forgotten(run, language) for run in runs]))
    heads = "".join(
        f'<th scope="col">{safe(live.short_name(place, run, language))}</th>'
        for place, run in enumerate(runs)
    )
    body = "".join(
        f'<tr><th scope="row">{safe(name)}</th>'
        + "".join(f"<td>{safe(value)}</td>" for value in values)
        + "</tr>"
        for name, values in rows
    )
    caption = f"<caption>{safe(say('runs.differences', language))}</caption>"
    table = f'<table class="figures">{caption}<tr><td></td>{heads}</tr>{body}</table>'
    return f'<div class="scrolled" tabindex="0">{table}</div>'


def _forgotten(run: dict[str, Any], language: str) -> str:
    """The loss on the base's own kind of text, and what the run added to it."""
    if not forgetting.measured(run):
        return "–"
    added = forgetting.forgotten(run["result"])
    sign = "+" if added >= 0 else "−"
    told = number(run["result"]["base_text_loss"], language, 3)
    return f"{told} ({sign}{number(abs(added), language, 3)})"


def _loss(run: dict[str, Any], language: str) -> str:
    result = run["result"]
    if not result or result["heldout_loss"] is None:
        return "–"
    return number(result["heldout_loss"], language, 3)
