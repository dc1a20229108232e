"""The Adapters tab: the shelf on the left, what is done with the chosen ones on the right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from lora_lab.config import PRECISIONS
from lora_lab.ui import trilingual
from lora_lab.ui.markup import note
from lora_lab.words import say

MOST_MIXED = 4  # sliders there are
METHODS = ("sum", "svd", "ties", "dare")


@dataclass
class AdaptersTab:
    """The tab's components that something listens to or writes into, by the section they are in."""

    chosen: gr.CheckboxGroup
    empty: gr.HTML
    problem: gr.HTML
    done: gr.HTML
    undo: gr.Button
    deleted: gr.Textbox
    cards: gr.HTML
    bring: dict[str, Any]  # upload, hub, folder, model, go
    one: dict[str, Any]  # group, name, tags, keep, delete, links
    push: dict[str, Any]  # group, repository, token, private, go
    prove: dict[str, Any]  # group, go, told
    merge: dict[str, Any]  # group, precision, go, told
    languages: trilingual.LanguagesPart
    mix: dict[str, Any]  # group, weights, method, rank, density, name, look, save, told


def lay_out(language: str, models: list[tuple[str, str]], *, loopback: bool) -> AdaptersTab:
    """models: the bases to choose from for an import; loopback: a folder may be imported."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=280):
            empty = gr.HTML()
            chosen = gr.CheckboxGroup(
                [], **_said("adapters.chosen", language), elem_classes="run-list", visible=False
            )
            bring = _bring(language, models, loopback)
        with gr.Column(scale=7, min_width=280):
            problem, done = gr.HTML(), gr.HTML()
            undo = _button("adapters.undo", language, visible=False)
            deleted = gr.Textbox("", visible="hidden")
            cards = gr.HTML(note("adapters.choose", language))
            sections = {name: make(language) for name, make in _SECTIONS.items()}
    ready = trilingual.lay_out(language)
    shelf = (chosen, empty, problem, done, undo, deleted, cards, bring)
    return AdaptersTab(*shelf, languages=ready, **sections)


def _bring(language: str, models: list[tuple[str, str]], loopback: bool) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Accordion(say("adapters.import", language), open=False):
        bases = [(say("adapters.base.own", language), ""), *models]
        parts["model"] = gr.Dropdown(
            bases, value="", allow_custom_value=True, **_said("adapters.base", language)
        )
        parts["upload"] = gr.UploadButton(
            say("adapters.upload", language), file_types=[".zip"], size="md"
        )
        parts["hub"] = gr.Textbox(max_lines=1, **_said("adapters.hub", language))
        parts["folder"] = gr.Textbox(
            max_lines=1, visible=loopback, **_said("adapters.folder", language)
        )
        parts["go"] = _button("adapters.fetch", language)
    return parts


def _one(language: str) -> dict[str, Any]:
    with gr.Column(visible=False) as group:
        links = gr.HTML()
        with gr.Row():
            name = gr.Textbox(max_lines=1, **_said("adapters.name", language), min_width=180)
            tags = gr.Textbox(max_lines=1, **_said("adapters.tags", language), min_width=180)
        with gr.Row():
            keep = _button("adapters.keep", language)
            delete = _button("adapters.delete", language)
    parts = {"group": group, "links": links, "name": name, "tags": tags}
    return {**parts, "keep": keep, "delete": delete}


def _push(language: str) -> dict[str, Any]:
    with gr.Accordion(say("adapters.push.title", language), open=False, visible=False) as group:
        gr.HTML(note("adapters.push.what", language))
        with gr.Row():
            repository = gr.Textbox(
                max_lines=1, **_said("adapters.repository", language), min_width=180
            )
            token = gr.Textbox(
                max_lines=1, type="password", **_said("adapters.token", language), min_width=180
            )
        private = gr.Checkbox(True, **_said("adapters.private", language))
        go = _button("adapters.push.go", language)
    parts = {"group": group, "repository": repository, "token": token}
    return {**parts, "private": private, "go": go}


def _prove(language: str) -> dict[str, Any]:
    with gr.Accordion(say("adapters.prove.title", language), open=False, visible=False) as group:
        gr.HTML(note("adapters.prove.what", language))
        go = _button("adapters.prove.go", language, "primary")
        told = gr.HTML()
    return {"group": group, "go": go, "told": told}


def _merge(language: str) -> dict[str, Any]:
    with gr.Accordion(say("adapters.merge.title", language), open=False, visible=False) as group:
        gr.HTML(note("adapters.merge.what", language))
        choices = [(say(f"adapters.precision.{name}", language), name) for name in PRECISIONS]
        precision = gr.Radio(choices, value="float32", **_said("adapters.precision", language))
        go = _button("adapters.merge.go", language, "primary")
        told = gr.HTML()
    return {"group": group, "precision": precision, "go": go, "told": told}


def _mix(language: str) -> dict[str, Any]:
    with gr.Accordion(say("adapters.mix.title", language), open=True, visible=False) as group:
        gr.HTML(note("adapters.mix.what", language))
        weights = [
            gr.Slider(-1, 2, 0.5, step=0.05, label="", visible=False, buttons=[])
            for _ in range(MOST_MIXED)
        ]
        choices = [(say(f"adapters.method.{name}", language), name) for name in METHODS]
        method = gr.Radio(choices, value="sum", **_said("adapters.method", language))
        with gr.Row():
            rank = gr.Number(16, **_said("adapters.rank", language), min_width=150, visible=False)
            density = gr.Slider(
                0.05, 1, 0.5, step=0.05, **_said("adapters.density", language), min_width=150,
                visible=False, buttons=[],
            )  # fmt: skip
        name = gr.Textbox(max_lines=1, **_said("adapters.mix_name", language))
        with gr.Row():
            look = _button("adapters.mix.look", language)
            save = _button("adapters.mix.save", language, "primary")
        told = gr.HTML()
    parts = {"group": group, "weights": weights, "method": method, "rank": rank}
    return {**parts, "density": density, "name": name, "look": look, "save": save, "told": told}


_SECTIONS = {"one": _one, "push": _push, "prove": _prove, "merge": _merge, "mix": _mix}


def _said(name: str, language: str) -> dict[str, Any]:
    return {
        key: say(f"{name}.{part}", language) for key, part in (("label", "label"), ("info", "help"))
    }


def _button(key: str, language: str, variant: Any = "secondary", **more: Any) -> gr.Button:
    text = say(f"{key}.button", language)
    return gr.Button(text, variant=variant, size="md", scale=0, min_width=190, **more)
