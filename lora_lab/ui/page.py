"""The page in one language: its head, its tabs, and what connects them."""

from __future__ import annotations

import os
from typing import Any

import gradio as gr
import psutil

from lora_lab import lab
from lora_lab.runs.warm import Warm
from lora_lab.ui import (
    adapters,
    api,
    bench,
    benching,
    compare,
    comparing,
    cost,
    ranklab,
    rankwiring,
    running,
    runs,
    shelving,
    spectrum,
    train,
    wiring,
)
from lora_lab.ui.languages import switch
from lora_lab.ui.markup import safe
from lora_lab.ui.training import QUIET, Training, sample_choices
from lora_lab.words import byte_size, say

CACHE_SECONDS = (3600, 24 * 3600)  # how often uploads are looked through, and how old they grow
THREADS = 200  # whoever waits for the warm process holds one: a class must leave some for the page
MOST_QUEUED = 64  # events that wait for a turn; training is not among them


def build(language: str, warm: Warm, *, loopback: bool) -> tuple[gr.Blocks, list[str]]:
    """The page, and the names of its settings in the order in which their values travel."""
    with gr.Blocks(title="LoRA Lab", delete_cache=CACHE_SECONDS, analytics_enabled=False) as demo:
        _head(demo, language)
        with gr.Tabs(overflow_behavior="wrap") as tabs:
            with gr.Tab(say("page.train", language), id="train"):
                samples = sample_choices(lab.sample_datasets(), language)
                trains = train.lay_out(language, model_choices(), samples)
            with gr.Tab(say("page.compare", language), id="compare") as compare_tab:
                compares = compare.lay_out(language)
            with gr.Tab(say("ranklab.tab", language), id="ranklab") as rank_tab:
                here = [(m["name"], m["name"]) for m in lab.models() if m["here"]]
                lay_outs = {
                    "bench": lambda: bench.lay_out(language, here),
                    "spectrum": lambda: spectrum.lay_out(language),
                    "cost": lambda: cost.lay_out(language),
                }
                ranks = ranklab.lay_out(language, lay_outs)
            with gr.Tab(say("page.adapters", language), id="adapters") as adapters_tab:
                shelf = adapters.lay_out(language, model_choices(), loopback=loopback)
            with gr.Tab(say("page.runs", language), id="runs") as runs_tab:
                lists = runs.lay_out(language)
        does = Training(trains, language, warm, loopback=loopback)
        wiring.wire(trains, does, demo)
        from_run = comparing.FromRun(trains.compare, trains.run, tabs)
        comparing.wire(compares, language, warm, [demo.load, compare_tab.select], from_run)
        shelved = [demo.load, adapters_tab.select]
        shelving.wire(shelf, language, warm, shelved, loopback=loopback)
        running.wire(lists, language, [demo.load, runs_tab.select])
        rankwiring.wire(ranks, does, demo, tabs, rank_tab)
        benching.wire(ranks.benches["bench"], language, warm, [demo.load, rank_tab.select])
        spectrum.wire(ranks.benches["spectrum"], language, warm, [demo.load, rank_tab.select])
        cost.wire(ranks.benches["cost"], language, [demo.load, rank_tab.select])
        api.offer(language, warm, loopback=loopback)
    demo.max_threads = THREADS
    demo.queue(max_size=MOST_QUEUED, default_concurrency_limit=4)
    return demo, trains.form.names


def model_choices() -> list[tuple[str, str]]:
    return [(model["name"], model["name"]) for model in lab.models()]


def _head(demo: gr.Blocks, language: str) -> None:
    with gr.Row(elem_id="head"):
        gr.HTML(f"<h1>LoRA Lab</h1><p>{safe(say('page.what', language))}</p>")
        aside = gr.HTML()
    demo.load(
        lambda: f'<div class="aside">{_machine(language)}{switch(language)}</div>',
        None,
        aside,
        **QUIET,
    )
    if os.environ.get("SPACE_ID"):
        gr.HTML(f'<p class="note">{safe(say("page.space", language))}</p>')


def _machine(language: str) -> str:
    told: dict[str, Any] = {"cores": os.cpu_count() or 1}
    free = byte_size(psutil.virtual_memory().available, language)
    return f"<span>{safe(say('page.machine', language, free=free, **told))}</span>"
