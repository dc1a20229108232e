"""Which touch of the Train tab leads to which handler.

Numbers and checks listen to all that may change them in the mode always_last: while one is at
work, what comes meanwhile makes it work once more. Listeners of their own for each touch, writing
into the same place, could overtake each other.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from lora_lab.ui import form, stopping
from lora_lab.ui.calm import calmly
from lora_lab.ui.train import TrainTab
from lora_lab.ui.training import QUIET, SLOW, Training
from lora_lab.ui.watching import Watching

LAST = {"trigger_mode": "always_last"}


def wire(tab: TrainTab, does: Training, demo: gr.Blocks) -> None:
    """Connect the tab's components to its handlers."""
    runs = Watching(tab, does)
    _, tab.drawing.value, tab.model_card.value, tab.data_card.value = does.at_first()
    outputs = [*tab.form.all, tab.run, tab.uploaded, tab.opened, tab.trouble]
    opened = demo.load(runs.open, tab.uploaded, outputs, js="() => window.loraLab.kept()", **QUIET)
    # Only now does the form say what the address asks for.
    opened.then(lambda: gr.update(interactive=True), None, tab.train, **QUIET)
    _numbers(tab, does)
    _data(tab, does)
    _run(tab, runs)


def _numbers(tab: TrainTab, does: Training) -> None:
    """Facts, drawing and the address move with every setting."""
    values, own = tab.form.all, tab.form.widgets["other"]
    outputs = [tab.facts, tab.drawing, tab.model_card, own, tab.problem]
    numbers = calmly(does.language, len(outputs) - 1)(does.numbers)
    # A text that is pasted is no input to Gradio, but it is a change.
    typed = (gr.Textbox, gr.Number)
    rank, alpha = (tab.form.widgets[name] for name in form.DRAWN)
    touched = [w.change if isinstance(w, typed) or w is alpha else w.input for w in values]
    follow = "(rank, alpha) => window.loraLab.follow(rank, alpha)"
    for event in (rank.input, tab.opened.change):
        event(None, [rank, alpha], alpha, js=follow, api_visibility="private")
    moved = [*touched, tab.reading.change, tab.opened.change]
    gr.on(moved, numbers, [tab.reading, *values], outputs, **LAST, **QUIET)
    remember = "(...values) => window.loraLab.remember(...values)"
    changed = [*touched, tab.uploaded.change]
    gr.on(changed, None, values, None, js=remember, api_visibility="private")
    used = [tab.form.widgets[name] for name in form.USED_BY]
    method = tab.form.widgets["method"]
    method.input(does.method, method, used, **QUIET)
    describe = calmly(does.language, 1)(does.describe)
    named = [own.submit, own.blur, tab.opened.change]
    described = gr.on(named, describe, values, [tab.model_card, tab.problem], **LAST, **SLOW)
    described.success(numbers, [tab.reading, *values], outputs, **QUIET)
    chosen, targets = tab.form.widgets["model"].input, tab.form.widgets["targets"]
    for moved_to in (chosen, tab.opened.change, described.success):
        moved_to(does.matrices, values, targets, **QUIET)


def _data(tab: TrainTab, does: Training) -> None:
    """A file or a column was chosen: it is checked at once, then shown as the model sees it."""
    widgets, language = tab.form.widgets, does.language
    data, columns = widgets["data"], [widgets[name] for name in form.COLUMNS]
    source, after = [tab.uploaded, *tab.form.all], [tab.preview, tab.reading]
    taken = [data, tab.uploaded, *columns]
    take = calmly(language, len(taken))(does.take_upload)
    took = tab.upload.upload(take, tab.upload, [*taken, tab.problem], **QUIET)
    checked = [tab.data_card, tab.columns, tab.sight, *columns[1:], *after]
    check = calmly(language, len(checked))(does.check)
    asked: dict[str, Any] = {"fn": check, "inputs": source, "outputs": [*checked, tab.problem]}
    named = calmly(language, 2 + len(after))(does.named)
    checks = [
        # Behind the upload itself, so that files in a quick row are each checked in their turn.
        took.success(**asked, trigger_mode="multiple", **QUIET),
        gr.on([data.input, tab.opened.change], **asked, **LAST, **QUIET),
        gr.on(
            [column.input for column in columns],
            named,
            source,
            [tab.data_card, tab.sight, *after, tab.problem],
            **LAST,
            **QUIET,
        ),
    ]
    glance = calmly(language, len(after))(does.glance)
    seen = [tab.uploaded, tab.reading, *tab.form.all]
    for done in checks:
        # The warm process answers in the order of asking: the last check's preview comes last.
        done.success(glance, seen, [*after, tab.problem], trigger_mode="multiple", **SLOW)
    preview = calmly(language, len(after))(does.preview)
    tab.sight.expand(preview, source, [*after, tab.problem], **SLOW)
    keep = "(uploaded) => window.loraLab.keep(uploaded)"
    tab.uploaded.change(None, tab.uploaded, None, js=keep, api_visibility="private")


def _run(tab: TrainTab, does: Watching) -> None:
    """A run is started, looked at once a second, stopped and resumed."""
    live, language = tab.live, does.language
    start = calmly(language, 3)(does.start)
    inputs = [tab.uploaded, tab.reading, *tab.form.all]
    tab.train.click(start, inputs, [tab.run, tab.seen, tab.stop, tab.problem], **QUIET)
    look = calmly(language, len(live))(does.look)
    shown: dict[str, Any] = {"inputs": [tab.run, tab.seen], "outputs": [*live, tab.trouble]}
    gr.on([tab.clock.tick, tab.run.change], look, **shown, **LAST, **QUIET)
    stopping.wire(tab, language)
    show = "(run) => window.loraLab.openRun(run)"
    tab.run.change(None, tab.run, None, js=show, api_visibility="private")
