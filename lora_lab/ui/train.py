"""The Train tab: model, data and adapter on the left, what it costs and what happens on the right.

This file lays the tab out; training.py says what happens when something is touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from lora_lab.ui import facts, form
from lora_lab.ui.markup import note, safe, step_title
from lora_lab.words import say


@dataclass
class TrainTab:
    """The tab's components that something listens to or writes into."""

    form: form.Form
    model_card: gr.HTML
    upload: gr.UploadButton
    uploaded: gr.Textbox  # what was uploaded, in the browser's keeping
    reading: gr.Textbox  # what is known of the rows: their number, how long they are
    data_card: gr.HTML
    columns: gr.Accordion
    sight: gr.Accordion
    preview: gr.HTML
    drawing: gr.HTML
    opened: gr.Textbox  # changes when the page has been filled in
    facts: gr.HTML
    train: gr.Button
    problem: gr.HTML
    run: gr.Textbox  # the id of the run that is shown
    seen: gr.Textbox  # what of it is shown already
    standing: gr.HTML
    stop: gr.Button
    resume: gr.Button
    compare: gr.Button
    trouble: gr.HTML
    kept: gr.HTML
    chart: gr.HTML
    sample: gr.HTML
    clock: gr.Timer

    @property
    def live(self) -> list[Any]:
        """What a look at the run redraws."""
        return [
            self.standing,
            self.stop,
            self.resume,
            self.compare,
            self.kept,
            self.chart,
            self.sample,
            self.seen,
        ]


def lay_out(language: str, models: list[Any], samples: list[Any]) -> TrainTab:
    """models, samples: (what a person reads, name) pairs."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=280, elem_classes="settings"):
            left = _left(language, models, samples)
        with gr.Column(scale=7, min_width=280, elem_classes="watching"):
            right = _right(language)
    return TrainTab(**left, **right)


def _left(language: str, models: list[Any], samples: list[Any]) -> dict[str, Any]:
    widgets, parts = {}, {}
    gr.HTML(step_title(1, "train.model", language))
    widgets["model"] = _choice(
        [*models, (say("train.other_model.choice", language), form.OTHER)],
        "setting.model",
        language,
    )
    widgets["other"] = gr.Textbox(
        label=say("train.other_model.label", language),
        info=say("train.other_model.help", language),
        visible=False,
        max_lines=1,
    )
    parts["model_card"] = gr.HTML()
    gr.HTML(step_title(2, "train.data", language))
    with gr.Row(elem_classes="data-row"):
        widgets["data"] = _choice(samples, "setting.data", language)
        parts["upload"] = gr.UploadButton(
            say("train.upload", language), size="md", scale=0, min_width=166
        )
    parts["uploaded"] = gr.Textbox(visible="hidden")
    parts["reading"] = gr.Textbox(visible="hidden")
    parts["data_card"] = gr.HTML()
    with gr.Accordion(say("train.columns", language), open=False, visible=False) as columns:
        widgets |= {name: form.widget(name, language) for name in form.COLUMNS}
    parts["columns"] = columns
    with gr.Accordion(say("train.preview", language), open=False) as sight:
        parts["preview"] = gr.HTML()
    parts["sight"] = sight
    gr.HTML(step_title(3, "train.adapter", language))
    with gr.Group():
        widgets |= {name: form.widget(name, language) for name in form.DRAWN}
        parts["drawing"] = gr.HTML(elem_classes="pictured")
        rest = (name for name in form.ADAPTER if name not in form.DRAWN)
        widgets |= {name: form.widget(name, language) for name in rest}
    with gr.Accordion(say("train.more", language), open=False):
        widgets |= _more(language)
    parts["opened"] = gr.Textbox(visible="hidden")
    return {"form": form.Form(widgets), **parts}


def _choice(choices: list[Any], key: str, language: str) -> gr.Dropdown:
    """A dropdown under a step's title, which names it already; a screen reader needs the label."""
    return gr.Dropdown(
        choices,
        value=choices[0][1] if choices else None,
        filterable=False,
        label=say(f"{key}.label", language),
        show_label=False,
        container=False,
    )


def _more(language: str) -> dict[str, Any]:
    """Everything else that can be set, under its group's name."""
    widgets: dict[str, Any] = {}
    for title, groups in MORE_GROUPS.items():
        gr.HTML(f'<h3 class="group">{safe(say(f"setting.group.{title}", language))}</h3>')
        with gr.Row():
            names = [n for n in form.MORE if form.FIELDS[n].metadata["group"] in groups]
            widgets |= {name: form.widget(name, language) for name in names}
    return widgets


# Under "training" also what little is left of the groups that have their own place in the page.
MORE_GROUPS = {
    "training": ("training", "adapter", "data"),
    "watching": ("watching",),
    "machine": ("machine",),
}


def _right(language: str) -> dict[str, Any]:
    parts: dict[str, Any] = {"facts": gr.HTML(facts.unknown(language))}
    text = say("train.train", language)
    parts["train"] = gr.Button(text, variant="primary", size="lg", interactive=False)
    parts["problem"] = gr.HTML()
    with gr.Column(elem_classes="run"):
        parts["standing"] = gr.HTML(note("train.nothing_yet", language))
        with gr.Row(elem_classes="acts"):
            for name in ("stop", "resume", "compare"):
                text = say(f"train.{name}", language)
                parts[name] = gr.Button(text, visible=False, size="md", scale=0, min_width=190)
        parts["trouble"] = gr.HTML()
        parts["chart"] = gr.HTML()
        parts["kept"] = gr.HTML()
        parts["sample"] = gr.HTML()
    parts["run"] = gr.Textbox(visible="hidden")
    parts["seen"] = gr.Textbox(visible="hidden")
    parts["clock"] = gr.Timer(1.0)
    return parts
