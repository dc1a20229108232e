"""The Rank lab: each experiment in a section of its own, and the benches that need no training.

This file lays the tab out; experimenting.py says what happens when something is touched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lora_lab.ui.arms import sample_names
from lora_lab.ui.markup import safe
from lora_lab.ui.views import race
from lora_lab.words import say

ARMS = ("1", "2", "4", "8", "16", "64", "full", "prefix")
FIRST_ARMS = ["1", "8", "64", "full"]
FIRST_DATA = ["pirate-stories", "german-stories"]  # a near task and a far one
RATES = ("own", "search", "one")
# Steps that end within three minutes on two cores, with what each section trains by itself.
STEPS = {"race": 50, "alpha": 40, "grid": 20, "few": 40, "init": 40}
LOOK_SECONDS = 1.5
Controls = dict[str, Any]


@dataclass
class Section:
    """One experiment's components. controls: what its arms are made from; view: what only its
    figure depends on."""

    kind: str
    controls: Controls
    view: Controls
    views: gr.Row  # where the view's components stand; there is nothing to view at first
    forecast: gr.HTML
    go: gr.Button
    problem: gr.HTML
    standing: gr.HTML
    stop: gr.Button
    resume: gr.Button
    trouble: gr.HTML
    verdict: gr.HTML
    kept: gr.HTML
    figure: gr.HTML
    finished: gr.Row  # where an arm's adapter may be put on the shelf
    arm: gr.Dropdown
    shelve: gr.Button
    shelved: gr.HTML
    run: gr.Textbox  # the id of the run that is shown
    seen: gr.Textbox  # what of it is shown already
    clock: gr.Timer

    @property
    def live(self) -> list[Any]:
        """What a look at the run redraws."""
        shown = [self.standing, self.stop, self.resume, self.kept, self.verdict, self.figure]
        return [*shown, self.views, self.finished, self.arm, self.clock, self.seen]


@dataclass
class RankLab:
    """The tab. benches: what the sections that need no training laid out, by name."""

    tabs: gr.Tabs
    basis: gr.HTML  # what all experiments here are made on
    sections: dict[str, Section]
    benches: dict[str, Any]


def lay_out(language: str, benches: dict[str, Callable[[], Any]]) -> RankLab:
    """benches: what lays out each further section, by its name (words: ranklab.<name>.tab)."""
    sections, made = {}, {}
    with gr.Column(elem_classes="ranklab"):
        basis = gr.HTML()
        with gr.Tabs(overflow_behavior="wrap") as tabs:
            for kind in STEPS:
                with gr.Tab(say(f"ranklab.{kind}.tab", language), id=kind):
                    sections[kind] = _section(kind, language)
            for name, lay in benches.items():
                with gr.Tab(say(f"ranklab.{name}.tab", language), id=name):
                    made[name] = lay()
    return RankLab(tabs, basis, sections, made)


def _section(kind: str, language: str) -> Section:
    parts: dict[str, Any] = {}
    gr.HTML(f'<p class="look">{safe(say(f"ranklab.{kind}.look", language))}</p>')
    controls = _race_controls(language) if kind == "race" else {}
    with gr.Row(equal_height=True):
        low, high = (10, 200)
        controls["steps"] = gr.Slider(
            low, high, value=STEPS[kind], step=10, buttons=[], min_width=200,
            label=say("ranklab.steps.label", language), info=say("ranklab.steps.help", language),
        )  # fmt: skip
        if kind == "race":
            controls |= _fairness(language)
    parts["forecast"] = gr.HTML()
    with gr.Row():
        run = say(f"ranklab.{kind}.run", language)
        parts["go"] = gr.Button(run, variant="primary", scale=0, min_width=200)
        for name in ("stop", "resume"):
            text = say(f"train.{name}", language)
            parts[name] = gr.Button(text, visible=False, scale=0, min_width=110)
    parts["problem"] = gr.HTML()
    with gr.Column(elem_classes="run"):
        parts["standing"] = gr.HTML()
        parts["trouble"] = gr.HTML()
        parts["verdict"] = gr.HTML()
        with gr.Row(visible=False) as parts["views"]:
            view = _race_view(language) if kind == "race" else {}
        parts["figure"] = gr.HTML()
        parts["kept"] = gr.HTML()
        parts |= _finished(language)
    for name in ("run", "seen"):
        parts[name] = gr.Textbox(visible="hidden")
    parts["clock"] = gr.Timer(LOOK_SECONDS, active=False)
    return Section(kind, controls, view, **parts)


def _finished(language: str) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Row(visible=False, elem_classes="finished") as parts["finished"]:
        parts["arm"] = gr.Dropdown(
            [], label=say("ranklab.adapter.label", language), filterable=False, min_width=260
        )
        text = say("ranklab.shelve", language)
        parts["shelve"] = gr.Button(text, scale=0, min_width=180)
    parts["shelved"] = gr.HTML()
    return parts


def _race_controls(language: str) -> Controls:
    arms = [(_arm(label, language), label) for label in ARMS]
    with gr.Row(equal_height=True):
        return {
            "datasets": gr.CheckboxGroup(
                sample_names(language), value=FIRST_DATA, min_width=300,
                label=say("ranklab.datasets.label", language),
                info=say("ranklab.datasets.help", language),
            ),
            "arms": gr.CheckboxGroup(
                arms, value=FIRST_ARMS, min_width=300,
                label=say("ranklab.arms.label", language),
                info=say("ranklab.arms.help", language),
            ),
        }  # fmt: skip


def _arm(label: str, language: str) -> str:
    return label if label.isdigit() else say(f"arm.{label}.name", language)


def _fairness(language: str) -> Controls:
    return {
        "seeds": gr.Slider(
            1, 5, value=1, step=1, buttons=[], min_width=200,
            label=say("ranklab.seeds.label", language), info=say("ranklab.seeds.help", language),
        ),
        "rates": gr.Radio(
            [(say(f"ranklab.rates.{rate}", language), rate) for rate in RATES], value="own",
            label=say("ranklab.rates.label", language), info=say("ranklab.rates.help", language),
            min_width=300,
        ),
    }  # fmt: skip


def _race_view(language: str) -> Controls:
    """What the chart of quality shows."""

    def choice(name: str, values: tuple[str, ...]) -> gr.Radio:
        choices = [(say(f"ranklab.axis.{value}", language), value) for value in values]
        label = say(f"ranklab.{name}.label", language)
        return gr.Radio(choices, value=values[0], label=label, min_width=300)

    return {"across": choice("across", race.ACROSS), "up": choice("up", race.UP)}
