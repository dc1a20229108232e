"""What LoRA saves: memory, storage and time; counted for any model, measured on one's runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from lora_lab import lab
from lora_lab.config import from_json
from lora_lab.models.catalogue import CATALOGUE, COUNTED_ONLY
from lora_lab.ui import form, live, lowrank
from lora_lab.ui.calm import calmly
from lora_lab.ui.facts import short
from lora_lab.ui.identity import owner
from lora_lab.ui.markup import caption, note, safe, verdict
from lora_lab.ui.training import QUIET
from lora_lab.words import byte_size, duration, number, say

PARTS = ("weights", "gradients", "optimizer", "activations", "process")
METHODS = ("full", "lora")
FIRST = "smollm2-135m-instruct"  # of a smaller model the program itself takes most


@dataclass
class CostTab:
    """The section's components that something listens to or writes into."""

    model: gr.Dropdown
    rank: gr.Slider
    targets: gr.Dropdown
    tasks: gr.Slider
    counted: gr.HTML
    measured: gr.HTML
    problem: gr.HTML

    @property
    def settings(self) -> list[Any]:
        return [self.model, self.rank, self.targets, self.tasks]


def lay_out(language: str) -> CostTab:
    gr.HTML(note("cost.what", language))
    models = [model.name for model in CATALOGUE] + list(COUNTED_ONLY)
    with gr.Row():
        model = gr.Dropdown(
            models, value=FIRST, filterable=False, min_width=260,
            label=say("setting.model.label", language), info=say("cost.model", language),
        )  # fmt: skip
        targets = form.widget("targets", language)
    with gr.Row():
        rank = form.widget("rank", language)
        tasks = gr.Slider(
            1, 100, 10, step=1, buttons=[], min_width=260,
            label=say("cost.tasks.label", language), info=say("cost.tasks.help", language),
        )  # fmt: skip
    problem, counted = gr.HTML(), gr.HTML()
    gr.HTML(f'<h3 class="group">{safe(say("cost.measured", language))}</h3>')
    gr.HTML(note("cost.measured-look", language))
    return CostTab(model, rank, targets, tasks, counted, gr.HTML(), problem)


class Costing:
    """The handlers of one language's section."""

    def __init__(self, language: str):
        self.language = language

    def reckon(self, model: str, rank: float, targets: str, tasks: float) -> list[Any]:
        known = lowrank.offered(model)
        settings = from_json({"model": known, "rank": rank, "targets": targets or ""})
        told = lab.cost(settings, int(tasks))
        return [counted(told, self.language)]

    def measure(self, request: gr.Request) -> list[Any]:
        return [measured(lab.measured(owner(request)), self.language)]


def counted(told: dict[str, Any], language: str) -> str:
    """LoRA beside full fine-tuning: trainable numbers, memory by what holds it, storage."""
    top = max(told[method]["memory_bytes"] for method in METHODS)
    bars = "".join(_memory(method, told[method], top, language) for method in METHODS)
    legend = "".join(
        f'<span class="{part}"><i></i>{safe(say(f"cost.part.{part}", language))}</span>'
        for part in PARTS
    )
    look = note("cost.memory.look", language)
    return (
        f"{_sentence(told, language)}{look}"
        f'<div class="memories">{bars}<p class="parts">{legend}</p></div>'
        f"{_table(told, language)}"
    )


def _sentence(told: dict[str, Any], language: str) -> str:
    lora, full = told["lora"], told["full"]
    facts = {
        "trainable": lora["trainable"],
        "total": short(told["total"], language),
        "percent": number(lora["percent"], language),
        "less": number(full["memory_bytes"] / lora["memory_bytes"], language, 1),
        "storage": number(full["storage_bytes"] / lora["storage_bytes"], language, 1),
        "tasks": told["tasks"],
    }
    return verdict(say("cost.sentence", language, **facts))


def _memory(method: str, told: dict[str, Any], top: float, language: str) -> str:
    """A bar as long as the memory, cut into what holds it."""
    name = say(f"cost.method.{method}", language)
    whole = byte_size(told["memory_bytes"], language)
    spoken = ", ".join(
        f"{say(f'cost.part.{part}', language)} {byte_size(told['memory'][part], language)}"
        for part in PARTS
    )
    pieces = "".join(
        f'<span class="{part}" style="width:{100 * told["memory"][part] / top:.2f}%"></span>'
        for part in PARTS
    )
    return (
        f'<p class="memory-name"><b>{safe(name)}</b> {safe(whole)}</p>'
        f'<div class="memory" role="img" aria-label="{safe(f"{name}: {spoken}")}">{pieces}</div>'
    )


def _table(told: dict[str, Any], language: str) -> str:
    rows = [
        (
            say("cost.row.trainable", language),
            [number(told[m]["trainable"], language) for m in METHODS],
        )
    ]
    rows += [
        (
            say(f"cost.part.{part}", language),
            [byte_size(told[m]["memory"][part], language) for m in METHODS],
        )
        for part in PARTS
    ]
    rows.append(
        (
            say("cost.row.storage", language, tasks=told["tasks"]),
            [byte_size(told[m]["storage_bytes"], language) for m in METHODS],
        )
    )
    heads = [say(f"cost.method.{method}", language) for method in METHODS]
    return _figures("", heads, rows)


def measured(groups: list[dict[str, Any]], language: str) -> str:
    """One's finished runs, a table for each model and data."""
    if not groups:
        return f'<div class="empty-state"><p>{safe(say("cost.none", language))}</p></div>'
    return "".join(_group(group, language) for group in groups)


def _group(group: dict[str, Any], language: str) -> str:
    loss = number(group["loss"], language, 2)
    keys = ("cost.head.memory", "cost.head.step", "cost.head.seconds", "cost.head.loss")
    heads = [say(key, language, loss=loss) for key in keys]
    rows = [(_run(run, language), _figures_of(run, language)) for run in group["runs"]]
    data = live.data_name(group["data"], language)
    return _figures(f"{data} · {group['model']}", heads, rows)


def _run(run: dict[str, Any], language: str) -> str:
    method = say(f"setting.method.{run['method']}", language)
    ranked = run["method"] not in ("full", "prefix")
    rank = f"{method} · {say('cost.rank', language, rank=run['rank'])}" if ranked else method
    return f"{rank} · {say('cost.steps', language, steps=run['steps'])}"


def _figures_of(run: dict[str, Any], language: str) -> list[str]:
    seconds = run["seconds_to_loss"]
    return [
        byte_size(run["peak_memory_bytes"], language),
        f"{number(run['seconds_a_step'], language, 2)}\u00a0s",
        "–" if seconds is None else duration(seconds, language),
        number(run["heldout_loss"], language, 3),
    ]


def _figures(title: str, heads: list[str], rows: list[tuple[str, list[str]]]) -> str:
    head = "".join(f'<th scope="col">{safe(text)}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row">{safe(name)}</th>'
        + "".join(f"<td>{safe(value)}</td>" for value in values)
        + "</tr>"
        for name, values in rows
    )
    table = f'<table class="figures">{caption(title)}<tr><td></td>{head}</tr>{body}</table>'
    return f'<div class="scrolled" tabindex="0">{table}</div>'


def wire(tab: CostTab, language: str, shown: list[Any]) -> None:
    """shown: the events on which the section is drawn and the runs are read anew."""
    does = Costing(language)
    reckon = calmly(language, 1)(does.reckon)
    changes = [widget.change for widget in tab.settings]
    out = [tab.counted, tab.problem]
    gr.on([*shown[:1], *changes], reckon, tab.settings, out, trigger_mode="always_last", **QUIET)
    measure = calmly(language, 1)(does.measure)
    gr.on(shown, measure, None, [tab.measured, tab.problem], **QUIET)
