"""Three languages on one base: one click trains two adapters, then a table says what each does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lora_lab import lab
from lora_lab.errors import LabError
from lora_lab.runs.warm import Warm
from lora_lab.ui import cards, live
from lora_lab.ui.calm import calmly
from lora_lab.ui.identity import owner
from lora_lab.ui.markup import caption, note, safe
from lora_lab.ui.training import QUIET, SLOW
from lora_lab.words import number, say

LOOK_SECONDS = 2
ROWS = ("base", "french", "german", "both")


@dataclass
class LanguagesPart:
    """The section's components. ready: the runs to be measured as soon as both have ended."""

    section: gr.Accordion
    start: gr.Button
    measure: gr.Button
    standing: gr.HTML
    problem: gr.HTML
    table: gr.HTML
    ready: gr.Textbox
    clock: gr.Timer


def lay_out(language: str) -> LanguagesPart:
    with gr.Accordion(say("languages.title", language), open=False) as section:
        gr.HTML(note("languages.what", language))
        with gr.Row():
            start, measure = (
                gr.Button(
                    say(f"languages.{name}", language), variant=variant, scale=0, min_width=190
                )
                for name, variant in (("start", "primary"), ("measure", "secondary"))
            )
        parts = gr.HTML(), gr.HTML(), gr.HTML()
    ready = gr.Textbox("", visible="hidden")
    clock = gr.Timer(LOOK_SECONDS, active=False)
    return LanguagesPart(section, start, measure, *parts, ready, clock)


class Trilingual:
    """The handlers of one language's section."""

    def __init__(self, language: str, warm: Warm):
        self.language, self.warm = language, warm

    def found(self, request: gr.Request) -> list[Any]:
        """The page was opened: the section unfolds where there is something to show in it."""
        runs = lab.languages_of(owner(request))
        measured = lab.languages_measured(runs)
        return [
            gr.update(open=bool(runs)),
            *self._stand(runs),
            table(measured, self.language) if measured else "",
        ]

    def start(self, request: gr.Request) -> list[Any]:
        lab.start_languages(owner(request))
        return [gr.Timer(active=True), "", ""]

    def look(self, request: gr.Request) -> list[Any]:
        """How both runs stand; when they have ended, the clock stops and they are measured."""
        runs = lab.languages_of(owner(request))
        ready = not _going(runs) and bool(runs) and all(run["adapter"] for run in runs)
        return [*self._stand(runs), ",".join(run["id"] for run in runs) if ready else gr.skip()]

    def _stand(self, runs: list[dict[str, Any]]) -> list[Any]:
        """The standing; while the runs go the clock does, and no others can be started."""
        going = _going(runs)
        standing = "".join(self._standing(run) for run in runs)
        return [standing, gr.Timer(active=going), gr.update(interactive=not going)]

    def _standing(self, run: dict[str, Any]) -> str:
        state = say(f"run.state.{run['state']}", self.language)
        title = live.title(run, self.language)
        return f'<p class="line">{safe(title)} <span class="state">{safe(state)}</span></p>'

    def measure(self, request: gr.Request) -> Iterator[list[Any]]:
        who = owner(request)
        runs = lab.languages_of(who)
        if not runs or not all(run["adapter"] for run in runs):
            raise LabError("languages_not_trained")
        ids = [run["id"] for run in runs]
        for event in self.warm.call("measure_languages", ids=ids, owner=who):
            if event["kind"] == "table":
                yield [table(event, self.language)]
            else:
                yield [cards.waiting(event, self.language)]

    def measure_ready(self, request: gr.Request, ready: str) -> Iterator[list[Any]]:
        if ready:
            yield from self.measure(request)


def _going(runs: list[dict[str, Any]]) -> bool:
    return any(run["state"] in ("queued", "running") for run in runs)


def table(event: dict[str, Any], language: str) -> str:
    """A row for the base, each adapter and their mixture; a column for each text."""
    texts = [say(f"languages.text.{name}", language) for name in event["texts"]]
    heads = "".join(f'<th scope="col">{safe(text)}</th>' for text in texts)
    names = [say(f"languages.row.{name}", language) for name in ROWS]
    body = "".join(
        f'<tr><th scope="row">{safe(name)}</th>'
        + "".join(f"<td>{number(loss, language, 3)}</td>" for loss in row["losses"])
        + "</tr>"
        for name, row in zip(names, event["rows"], strict=True)
    )
    named = caption(say("languages.caption", language))
    drawn = f'<table class="figures">{named}<tr><td></td>{heads}</tr>{body}</table>'
    same = event["hash_before"] == event["hash_after"]
    key = f"languages.hash.{'same' if same else 'changed'}"
    told = say(key, language, hash=event["hash_after"][:12])
    return f'<div class="scrolled" tabindex="0">{drawn}</div>{cards.said(told)}'


def wire(part: LanguagesPart, language: str, warm: Warm, opened: Any) -> None:
    """opened: the event of an opened page."""
    does = Trilingual(language, warm)
    standing = [part.standing, part.clock, part.start]
    found = calmly(language, 5)(does.found)
    opened(found, None, [part.section, *standing, part.table, part.problem], **QUIET)
    start, look = calmly(language, 3)(does.start), calmly(language, 4)(does.look)
    part.start.click(start, None, [part.clock, part.ready, part.table, part.problem], **QUIET)
    part.clock.tick(look, None, [*standing, part.ready, part.problem], **QUIET)
    measure = calmly(language, 1)(does.measure)
    measured = [part.table, part.problem]
    part.measure.click(measure, None, measured, concurrency_limit=None, **SLOW)
    ready = calmly(language, 1)(does.measure_ready)
    part.ready.change(ready, part.ready, measured, concurrency_limit=None, **SLOW)
