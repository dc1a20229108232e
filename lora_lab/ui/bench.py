"""The factorisation bench: a matrix, a picture or a weight as the product of two thin matrices.

This file lays it out; benching.py says what happens when something is touched.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lora_lab.factorising.patterns import PATTERNS
from lora_lab.ui.markup import note
from lora_lab.words import say

SIDE = 9
# The cells are the page's own: typing in one recolours all of them and hands the numbers over.
CELLS_JS = """
const inputs = () => [...element.querySelectorAll("input")];
const size = (cell) => Number(cell.value.replace("−", "-").replace(",", ".")) || 0;
const paint = () => {
  const largest = Math.max(...inputs().map((cell) => Math.abs(size(cell)))) || 1;
  for (const cell of inputs()) {
    cell.style.setProperty("--share", Math.abs(size(cell)) / largest);
    cell.classList.toggle("minus", size(cell) < 0);
  }
};
const side = Number(element.querySelector("[data-side]")?.dataset.side ?? 9);
element.addEventListener("change", () => {
  paint();
  const all = inputs().map((cell) => cell.value.replace("−", "-").replace(",", "."));
  const cells = Array.from({ length: side }, (_, row) => all.slice(row * side, (row + 1) * side));
  trigger("submit", { cells });
});
element.addEventListener("keydown", (event) => {
  const step = { ArrowUp: -side, ArrowDown: side, Enter: side }[event.key];
  const next = step && inputs()[inputs().indexOf(event.target) + step];
  if (next) { next.focus(); next.select(); event.preventDefault(); }
});
element.addEventListener("focusin", (event) => event.target.select?.());
watch("value", paint);
paint();
"""


@dataclass
class BenchTab:
    """The bench's components that something listens to or writes into."""

    pattern: gr.Dropdown
    rank: gr.Slider
    cells: gr.HTML
    numbers: gr.Textbox  # the matrix in the cells, as JSON
    result: gr.HTML
    difference: gr.HTML
    problem: gr.HTML
    upload: gr.UploadButton
    uploaded: gr.Textbox
    picture_rank: gr.Slider
    picture: gr.HTML
    picture_problem: gr.HTML
    model: gr.Dropdown
    matrix: gr.Dropdown
    read: gr.Button
    read_already: gr.Textbox  # the weight's singular values, as JSON
    weight_rank: gr.Slider
    weight: gr.HTML
    weight_problem: gr.HTML
    run: gr.Dropdown
    cut: gr.Button
    cut_table: gr.HTML
    cut_problem: gr.HTML


def lay_out(language: str, models: list[Any]) -> BenchTab:
    """models: (what a person reads, name) of those that are here."""
    parts: dict[str, Any] = {}
    gr.HTML(note("bench.what", language))
    with gr.Tabs(overflow_behavior="wrap"):
        with gr.Tab(say("bench.cells.tab", language), id="bench-cells"):
            parts |= _cells(language)
        with gr.Tab(say("bench.picture.tab", language), id="bench-picture"):
            parts |= _picture(language)
        with gr.Tab(say("bench.weight.tab", language), id="bench-weight"):
            parts |= _weight(language, models)
        with gr.Tab(say("bench.cut.tab", language), id="bench-cut"):
            parts |= _cut(language)
    return BenchTab(**parts)


def grid(matrix: list[list[float]], language: str) -> str:
    """The cells to type in. Numbers are written plainly: they are to be typed over."""
    cells = "".join(
        f'<input inputmode="decimal" autocomplete="off" value="{_plain(value)}" aria-label="'
        f'{html.escape(say("bench.cell", language, row=row, column=column))}">'
        for row, line in enumerate(matrix, 1)
        for column, value in enumerate(line, 1)
    )
    label = html.escape(say("bench.original", language))
    return f'<div class="typed" role="group" aria-label="{label}" data-side="{SIDE}">{cells}</div>'


def _plain(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _cells(language: str) -> dict[str, Any]:
    gr.HTML(note("bench.cells.look", language))
    with gr.Row():
        choices = [(say(f"bench.pattern.{name}", language), name) for name in PATTERNS]
        pattern = gr.Dropdown(
            choices, value="two", label=say("bench.pattern.label", language), filterable=False,
            info=say("bench.pattern.help", language), min_width=260,
        )  # fmt: skip
        rank = _rank("bench.rank", SIDE, 1, language)
    with gr.Row(equal_height=False):
        with gr.Column(scale=0, min_width=330):
            gr.HTML(f'<h3 class="group">{html.escape(say("bench.original", language))}</h3>')
            cells = gr.HTML(js_on_load=CELLS_JS, elem_classes="typed-block")
        with gr.Column(scale=1, min_width=300):
            result = gr.HTML()
    numbers = gr.Textbox(visible="hidden")
    return {
        "pattern": pattern, "rank": rank, "cells": cells, "numbers": numbers, "result": result,
        "difference": gr.HTML(), "problem": gr.HTML(),
    }  # fmt: skip


def _picture(language: str) -> dict[str, Any]:
    gr.HTML(note("bench.picture.look", language))
    with gr.Row():
        rank = _rank("bench.rank", 64, 8, language)
        upload = gr.UploadButton(
            say("bench.picture.upload", language), size="md", scale=0, min_width=190
        )
    uploaded = gr.Textbox(visible="hidden")
    return {
        "picture_rank": rank, "upload": upload, "uploaded": uploaded, "picture_problem": gr.HTML(),
        "picture": gr.HTML(),
    }  # fmt: skip


def _weight(language: str, models: list[Any]) -> dict[str, Any]:
    gr.HTML(note("bench.weight.look", language))
    with gr.Row():
        model = gr.Dropdown(models, value=models[0][1], label=say("setting.model.label", language),
                            info=say("bench.weight.model", language), filterable=False,
                            min_width=260)  # fmt: skip
        matrix = gr.Dropdown(
            [], label=say("bench.weight.matrix.label", language),
            info=say("bench.weight.matrix.help", language), min_width=260,
        )  # fmt: skip
    with gr.Row():
        read = gr.Button(
            say("bench.weight.read", language), variant="primary", size="md", scale=0, min_width=190
        )
        rank = _rank("bench.rank", 128, 8, language)
    already = gr.Textbox(visible="hidden")
    return {
        "model": model, "matrix": matrix, "read": read, "weight_rank": rank,
        "read_already": already, "weight_problem": gr.HTML(), "weight": gr.HTML(),
    }  # fmt: skip


def _cut(language: str) -> dict[str, Any]:
    gr.HTML(note("bench.cut.look", language))
    with gr.Row():
        run = gr.Dropdown([], label=say("bench.cut.run.label", language), filterable=False,
                          info=say("bench.cut.run.help", language), min_width=260)  # fmt: skip
        cut = gr.Button(
            say("bench.cut.start", language), variant="primary", size="md", scale=0, min_width=190
        )
    return {"run": run, "cut": cut, "cut_problem": gr.HTML(), "cut_table": gr.HTML()}


def _rank(key: str, most: int, value: int, language: str) -> gr.Slider:
    label, info = (say(f"{key}.{part}", language) for part in ("label", "help"))
    return gr.Slider(1, most, value, step=1, label=label, info=info, buttons=[], min_width=260)
