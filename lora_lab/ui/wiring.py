"""Which touch of the Train tab leads to which handler."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gradio as gr

from lora_lab.ui import form
from lora_lab.ui.calm import calmly
from lora_lab.ui.train import TrainTab
from lora_lab.ui.training import QUIET, SLOW, Training
from lora_lab.ui.watching import Watching


def wire(tab: TrainTab, does: Training, demo: gr.Blocks) -> None:
    """Connect the tab's components to its handlers."""
    numbers = _numbers(tab, does)
    check = _data(tab, does)
    runs = Watching(tab, does)
    look = _run(tab, runs)
    outputs = [*tab.form.all, tab.run, tab.uploaded, tab.problem]
    kept = "() => window.loraLab.kept()"
    opened = demo.load(runs.open, tab.uploaded, outputs, js=kept, **QUIET)
    for step in (numbers, look, check):
        opened = step(opened.then)


def _numbers(tab: TrainTab, does: Training) -> Callable[[Any], Any]:
    """Facts, drawing and the address move with every setting."""
    outputs = [tab.facts, tab.drawing, tab.model_card, tab.form.widgets["other"], tab.problem]
    handler = calmly(does.language, len(outputs) - 1)(does.numbers)
    touched = [widget.input for widget in tab.form.all]
    inputs = [tab.reading, *tab.form.all]
    moved = [*touched, tab.reading.change]
    gr.on(moved, handler, inputs, outputs, trigger_mode="always_last", **QUIET)
    remember = "(...values) => window.loraLab.remember(...values)"
    gr.on(touched, None, tab.form.all, None, js=remember, api_visibility="private")
    model = [tab.form.widgets["other"].submit, tab.form.widgets["other"].blur]
    describe = calmly(does.language, 1)(does.describe)
    described = gr.on(model, describe, tab.form.all, [tab.model_card, tab.problem], **SLOW)
    described.success(handler, inputs, outputs, **QUIET)
    return partial(_listen, handler, inputs, outputs)


def _data(tab: TrainTab, does: Training) -> Callable[[Any], Any]:
    """A file or a column was chosen: it is checked at once, then shown as the model sees it."""
    widgets = tab.form.widgets
    columns = [widgets[name] for name in form.COLUMNS]
    source, after = [tab.uploaded, *tab.form.all], [tab.preview, tab.reading]
    taken = [widgets["data"], tab.uploaded, tab.data_card, tab.columns, *columns, *after]
    take = calmly(does.language, len(taken))(does.take_upload)
    checked = [tab.data_card, tab.columns, *after]
    check = calmly(does.language, len(checked))(does.check)
    glance = calmly(does.language, len(after))(does.glance)
    preview = calmly(does.language, len(after))(does.preview)

    def then_glance(event: Any) -> Any:
        seen = [tab.uploaded, tab.reading, *tab.form.all]
        return event.then(glance, seen, [*after, tab.problem], **SLOW)

    def checked_by(to: Any) -> Any:
        return then_glance(_listen(check, source, [*checked, tab.problem], to))

    then_glance(
        tab.upload.upload(take, [tab.upload, *tab.form.all], [*taken, tab.problem], **QUIET)
    )
    checked_by(partial(gr.on, [widget.input for widget in (widgets["data"], *columns)]))
    keep = "(uploaded) => window.loraLab.keep(uploaded)"
    tab.uploaded.change(None, tab.uploaded, None, js=keep, api_visibility="private")
    tab.look.click(preview, source, [*after, tab.problem], **SLOW)
    return checked_by


def _run(tab: TrainTab, does: Watching) -> Callable[[Any], Any]:
    live = tab.live
    start = calmly(does.language, len(live) + 1)(does.start)
    inputs = [tab.uploaded, *tab.form.all]
    tab.train.click(start, inputs, [tab.run, *live, tab.problem], trigger_mode="once", **QUIET)
    look = partial(
        _listen,
        calmly(does.language, len(live))(does.look),
        [tab.run, tab.seen],
        [*live, tab.trouble],
    )
    look(tab.clock.tick)
    stop = calmly(does.language, 1)(does.stop)
    tab.stop.click(stop, tab.run, [tab.stop, tab.trouble], **QUIET)
    resume = calmly(does.language, len(live))(does.resume)
    tab.resume.click(resume, tab.run, [*live, tab.trouble], **QUIET)
    show = "(run) => window.loraLab.openRun(run)"
    tab.run.change(None, tab.run, None, js=show, api_visibility="private")
    return look


def _listen(handler: Any, inputs: Any, outputs: Any, to: Any) -> Any:
    return to(fn=handler, inputs=inputs, outputs=outputs, **QUIET)
