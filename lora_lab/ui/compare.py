"""The Compare tab: one prompt, the base and one's adapters answering side by side, in step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from lora_lab.ui import live
from lora_lab.ui.markup import safe
from lora_lab.words import number, say

# What stands in the prompt until there is an adapter, whose own data then tells an opening. It is
# for models that were taught English, in every language of the page.
EXAMPLE = "Once upon a time, a little girl named Uxía found"
SLOTS = 7  # adapters beside the base, as many as can be compared


@dataclass
class CompareTab:
    """The tab's components that something listens to or writes into."""

    prompts: gr.Textbox
    adapters: list[gr.Dropdown]
    strengths: list[gr.Slider]
    slots: list[gr.Column]
    add: gr.Button
    write: gr.Button
    stop: gr.Button
    sampling: list[gr.Number]  # max tokens, temperature, top p, seed
    mix: gr.Checkbox
    problem: gr.HTML
    answers: gr.HTML


def lay_out(language: str) -> CompareTab:
    adapters, strengths, slots = [], [], []
    with gr.Row(equal_height=False):
        prompts = gr.Textbox(
            label=say("compare.prompt.label", language),
            info=say("compare.prompt.help", language),
            value=EXAMPLE,
            lines=3,
            max_lines=8,
            min_width=260,
        )
        for place in range(SLOTS):
            with gr.Column(min_width=260, visible=place == 0) as slot, gr.Group():
                adapters.append(_adapter(place, language))
                strengths.append(_strength(language))
            slots.append(slot)
    with gr.Row():
        write = _button("compare.write", language, variant="primary")
        stop = _button("train.stop", language)
        add = _button("compare.add", language)
    mix = gr.Checkbox(
        False,
        label=say("compare.mix.label", language),
        info=say("compare.mix.help", language),
        visible=False,
    )
    problem, answers = gr.HTML(), gr.HTML(empty(language))
    with gr.Accordion(say("compare.more", language), open=False), gr.Row():
        sampling = [_number(*told, language) for told in SAMPLING]
    return CompareTab(
        prompts, adapters, strengths, slots, add, write, stop, sampling, mix, problem, answers
    )


def _button(key: str, language: str, variant: Any = "secondary") -> gr.Button:
    return gr.Button(say(key, language), variant=variant, size="md", scale=0, min_width=190)


SAMPLING = [("max_new_tokens", 80, 1), ("temperature", 0.7, 0.1), ("top_p", 0.95, 0.05)]
SAMPLING += [("seed", 0, 1)]


def _number(name: str, value: float, step: float, language: str) -> gr.Number:
    label, info = (say(f"compare.{name}.{part}", language) for part in ("label", "help"))
    return gr.Number(value, label=label, info=info, step=step, min_width=150)


def _adapter(place: int, language: str) -> gr.Dropdown:
    label = say("compare.adapter", language, place=place + 1)
    return gr.Dropdown([], label=label, filterable=False)


def _strength(language: str) -> gr.Slider:
    label, info = (say(f"compare.strength.{part}", language) for part in ("label", "help"))
    return gr.Slider(-1, 2, 1, step=0.05, label=label, info=info, buttons=[])


def empty(language: str) -> str:
    return f'<div class="empty-state"><p>{safe(say("compare.empty", language))}</p></div>'


@dataclass
class Answer:
    """One column's answer to one prompt, as far as it has come."""

    text: str = ""
    tokens: int = 0
    ended: str | None = None


@dataclass
class Answers:
    """Everything that is being written. columns: their names, the base's first."""

    prompts: list[str]
    columns: list[str]
    language: str
    waiting: str = ""  # HTML: why nothing is written yet
    warnings: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)  # as evaluation/comparing.py tells them

    def __post_init__(self) -> None:
        self.cells = [[Answer() for _ in self.columns] for _ in self.prompts]

    def take(self, piece: dict[str, Any]) -> None:
        cell = self.cells[piece["prompt"]][piece["column"]]
        cell.text += piece["text"]
        cell.tokens, cell.ended = piece["tokens"], piece["ended"]

    def measured(self, figures: dict[str, Any]) -> None:
        self.figures = figures

    def stop(self) -> None:
        """What was not ended by itself was ended by the person."""
        for cell in (cell for cells in self.cells for cell in cells):
            cell.ended = cell.ended or "stopped"

    def html(self) -> str:
        several = len(self.prompts) > 1
        rows = []
        for prompt, cells in zip(self.prompts, self.cells, strict=True):
            head = f'<p class="asked">{safe(prompt)}</p>' if several else ""
            drawn = "".join(self._answer(place, prompt, cell) for place, cell in enumerate(cells))
            rows.append(f'{head}<div class="columns">{drawn}</div>')
        wait = f'<div role="status">{self.waiting}</div>' if self.waiting else ""
        warned = "".join(f'<p class="note">⚠ {safe(warning)}</p>' for warning in self.warnings)
        return wait + warned + "".join(rows)

    def _answer(self, place: int, prompt: str, cell: Answer) -> str:
        told = [say("compare.tokens", self.language, tokens=cell.tokens)] if cell.tokens else []
        if cell.ended and cell.ended != "end":
            told.append(say(f"compare.ended.{cell.ended}", self.language))
        told += self._measured(place)
        gap = "" if cell.text[:1].isspace() else " "  # an answer, not a continuation
        return (
            f'<article class="answer c{place}"><h2>{safe(self.columns[place])}</h2>'
            f"<p><b>{safe(prompt)}</b>{gap}{safe(cell.text)}</p>"
            f"<small>{safe(' · '.join(told))}</small></article>"
        )

    def _measured(self, place: int) -> list[str]:
        """Milliseconds a token and the held-out losses of one column, as far as they are known."""
        told = []
        times = self.figures.get("ms_per_token")
        if times:
            told.append(say("compare.ms", self.language, ms=number(times[place], self.language, 1)))
        for text in self.figures.get("heldout", []):
            loss = text["losses"][place]
            if loss is not None:
                written = number(loss, self.language, 3)
                name = live.data_name(text["name"], self.language)
                told.append(say("compare.heldout", self.language, loss=written, text=name))
        return told + self._forgotten(place)

    def _forgotten(self, place: int) -> list[str]:
        """The loss on the base's own kind of text."""
        losses = self.figures.get("base_text", {}).get("losses", [])
        if not losses or losses[place] is None:
            return []
        loss = number(losses[place], self.language, 3)
        return [say("compare.english", self.language, loss=loss)]
