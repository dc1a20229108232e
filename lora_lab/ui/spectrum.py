"""Inside an update: singular values, effective ranks, shared directions, and compression."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lora_lab.errors import LabError
from lora_lab.runs.warm import Warm
from lora_lab.ui import live, lowrank
from lora_lab.ui.calm import calmly
from lora_lab.ui.heat import bars
from lora_lab.ui.identity import owner
from lora_lab.ui.markup import caption, note, safe, verdict
from lora_lab.ui.training import QUIET, SLOW
from lora_lab.words import number, say

SHOWN = (1, 2, 4, 8, 16, 32, 64, 128)  # of the i and j of φ


@dataclass
class SpectrumTab:
    """The section's components that something listens to or writes into."""

    adapter: gr.Dropdown
    other: gr.Dropdown
    look: gr.Button
    compress: gr.Button
    problem: gr.HTML
    inside: gr.HTML
    compressed: gr.HTML


def lay_out(language: str) -> SpectrumTab:
    gr.HTML(note("inside.what", language) + note("inside.look", language))
    with gr.Row():
        adapter, other = (_choice(name, language) for name in ("adapter", "other"))
    with gr.Row():
        look, compress = (
            gr.Button(say(key, language), variant=variant, size="md", scale=0, min_width=240)
            for key, variant in (("inside.open", "primary"), ("inside.compress.start", "secondary"))
        )
    return SpectrumTab(adapter, other, look, compress, gr.HTML(), gr.HTML(), gr.HTML())


def _choice(name: str, language: str) -> gr.Dropdown:
    label, info = (say(f"inside.{name}.{part}", language) for part in ("label", "help"))
    return gr.Dropdown([], label=label, info=info, filterable=False, min_width=260)


class Looking:
    """The handlers of one language's section."""

    def __init__(self, language: str, warm: Warm):
        self.language, self.warm = language, warm

    def list_runs(self, request: gr.Request, chosen: str, other: str) -> list[Any]:
        choices = lowrank.finished(owner(request), self.language, full=True)
        ids = [run for _, run in choices]
        value = chosen if chosen in ids else next(iter(ids), None)
        beside = [("–", ""), *choices]
        return [
            gr.update(choices=choices, value=value),
            gr.update(choices=beside, value=other if other in ids else ""),
        ]

    def look(self, request: gr.Request, chosen: str, other: str) -> Iterator[list[Any]]:
        who = owner(request)
        run, beside = lowrank.chosen(chosen, who), lowrank.chosen(other, who) if other else None
        if beside and beside.settings.model != run.settings.model:
            models = f"{run.settings.model}, {beside.settings.model}"
            raise LabError("different_bases", models=models)
        asked = {"adapter": str(run.adapter), "other": str(beside.adapter) if beside else None}
        yield [note("progress.starting", self.language)]
        for event in self.warm.call("spectrum", **asked, model=run.settings.model):
            if event["kind"] == "spectrum":
                yield [inside(event, self.language)]
            else:
                yield [live.preparing(event, self.language)]

    def compress(self, request: gr.Request, chosen: str) -> Iterator[list[Any]]:
        run = lowrank.chosen(chosen, owner(request))
        yield [note("progress.starting", self.language)]
        events: list[dict[str, Any]] = []
        asked = {"model": run.settings.model, "adapter": str(run.adapter)}
        for event in self.warm.call("compress", **asked):
            events.append(event)
            table = lowrank.compressed_table(events, self.language)
            yield [table or live.preparing(event, self.language)]


def inside(told: dict[str, Any], language: str) -> str:
    """What lab.spectrum tells, as HTML."""
    effective = number(told["effective_rank"], language, 1)
    used = say("inside.mean", language, effective=effective, rank=told["rank"])
    size = ""
    if told["relative_norm"] is not None:
        percent = number(100 * told["relative_norm"], language)
        size = say("inside.size", language, size=percent)
    shared = told["similarity"]
    return (
        verdict(used, size)
        + _matrices(told["matrices"], language)
        + (_shared(shared, language) if shared else "")
    )


def _matrices(matrices: list[dict[str, Any]], language: str) -> str:
    """A row a layer, a column a kind of matrix: where the update is large, and where it is thin."""
    kinds = list(dict.fromkeys(each["matrix"] for each in matrices))
    rows: dict[str, dict[str, str]] = {}
    for each in matrices:
        inside = each["layer"] is not None
        row = say("inside.layer", language, layer=each["layer"]) if inside else each["path"]
        rows.setdefault(row, {})[each["matrix"]] = _matrix(each, language)
    heads = "".join(f'<th scope="col">{safe(kind)}</th>' for kind in kinds)
    body = "".join(
        f'<tr><th scope="row">{safe(row)}</th>'
        + "".join(f"<td>{cells.get(kind, '')}</td>" for kind in kinds)
        + "</tr>"
        for row, cells in rows.items()
    )
    table = f"{caption(say('inside.caption', language))}<tr><td></td>{heads}</tr>{body}"
    return (
        f'<div class="scrolled" tabindex="0"><table class="figures spectra">{table}</table></div>'
    )


def _matrix(told: dict[str, Any], language: str) -> str:
    """Its singular values as bars, its effective rank, and its size beside W0."""
    share = told["relative_norm"]
    size = "" if share is None else f" · {number(100 * share, language)}\u00a0%"
    drawn = bars(told["singular_values"], told["rank"], language)
    return f"{drawn}{number(told['effective_rank'], language, 1)}{size}"


def _shared(told: dict[str, Any], language: str) -> str:
    """φ as a small table whose cells are shaded by it, chance in brackets."""
    phi, chance = told["phi"], told["random"]
    down, across = (_places(len(phi)), _places(len(phi[0])))
    axis = safe(say("inside.shared.axis", language))
    heads = f"<th>{axis}</th>" + "".join(f'<th scope="col">{j}</th>' for j in across)
    rows = "".join(
        f'<tr><th scope="row">{i}</th>'
        + "".join(
            f'<td style="--share:{phi[i - 1][j - 1]:.2f}">'
            f"{number(phi[i - 1][j - 1], language, 2)}"
            f" <small>({number(chance[i - 1][j - 1], language, 2)})</small></td>"
            for j in across
        )
        + "</tr>"
        for i in down
    )
    title = safe(say("inside.shared.title", language))
    look = note("inside.shared.look", language, matrices=told["matrices"])
    table = f'<table class="figures shared"><tr>{heads}</tr>{rows}</table>'
    return f'<h3 class="group">{title}</h3>{look}<div class="scrolled" tabindex="0">{table}</div>'


def _places(most: int) -> list[int]:
    """Some of 1 … most, the first and the last among them."""
    return [*(place for place in SHOWN if place < most), most]


def wire(tab: SpectrumTab, language: str, warm: Warm, shown: list[Any]) -> None:
    """shown: the events on which the lists of runs are read anew."""
    does = Looking(language, warm)
    lists = [tab.adapter, tab.other]
    listing = calmly(language, 2)(does.list_runs)
    gr.on(shown, listing, lists, [*lists, tab.problem], **QUIET)
    look = calmly(language, 1)(does.look)
    tab.look.click(look, lists, [tab.inside, tab.problem], concurrency_limit=None, **SLOW)
    compress = calmly(language, 1)(does.compress)
    out = [tab.compressed, tab.problem]
    tab.compress.click(compress, tab.adapter, out, concurrency_limit=None, **SLOW)
