"""What the Rank lab does: experiments started, looked at, stopped, resumed and found again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import gradio as gr

from lora_lab import lab
from lora_lab.errors import LabError
from lora_lab.ui import arms, form, stopping, views
from lora_lab.ui.identity import owner
from lora_lab.ui.markup import problem_card, safe
from lora_lab.ui.ranklab import RATES, Section
from lora_lab.ui.reports import report_links
from lora_lab.ui.training import Training, make_known
from lora_lab.words import byte_size, duration, say

# What each experiment tries, besides what its controls choose.
ALPHAS = (2, 8, 16, 32, 64)
GRID = {"alphas": (4, 16, 64, 256), "rates": (0.00125, 0.005, 0.02, 0.08)}
ROWS = (8, 32, 128, 0)  # 0: all there are


class Experimenting:
    """The handlers of one section of one language's Rank lab."""

    def __init__(self, section: Section, trains: Training):
        self.section, self.trains, self.language = section, trains, trains.language

    # What is asked for

    def _asked(self, uploaded: str, values: tuple[Any, ...]) -> dict[str, Any]:
        """The arguments of lab.planned: the section's own controls come first in values."""
        count = len(self.section.controls)
        own = dict(zip(self.section.controls, values[:count], strict=True))
        common = self.trains.settings(values[count:])
        race = self.section.kind == "race"
        rate = own.get("rates") if own.get("rates") in RATES else RATES[0]
        common = replace(
            common,
            method="lora",
            steps=_whole(own["steps"]),
            learning_rate=0.0 if race and rate != "one" else common.learning_rate,
        )
        datasets = [data if data != form.UPLOAD else "" for data in own.get("datasets") or []]
        if race:
            if not datasets:
                raise LabError("no_datasets")
            common = replace(common, data=datasets[0])
        files = {}
        for data in datasets or [common.data]:
            path, name = self.trains.source(replace(common, data=str(data)), uploaded)
            if path is not None:
                files[data] = (path, name)
        choices = _choices(self.section.kind, own, datasets)
        return {
            "kind": self.section.kind, "settings": common.checked(), "choices": choices,
            "rate": rate, "files": files,
        }  # fmt: skip

    def forecast(self, uploaded: str, *values: Any) -> list[Any]:
        """How long it will take and how much memory, before anything is started."""
        try:
            plan = lab.planned(**self._asked(uploaded, values))
        except LabError as error:
            if error.key == "shapes_unknown":
                return [""]
            raise
        key = "ranklab.forecast.together" if plan.together else "ranklab.forecast.queued"
        text = say(
            key,
            self.language,
            arms=len(plan.arms),
            time=duration(plan.expected["seconds"], self.language),
            memory=byte_size(plan.expected["memory_bytes"], self.language),
        )
        looked_for = sum("learning_rate" in a.changes and not a.changes["learning_rate"]
                         for a in plan.arms)  # fmt: skip
        if looked_for:
            text += " " + say("ranklab.forecast.search", self.language, arms=looked_for)
        return [f'<p class="note">{safe(text)}</p>']

    def start(self, request: gr.Request, uploaded: str, *values: Any) -> list[Any]:
        asked = self._asked(uploaded, values)
        make_known(self.trains.warm, asked["settings"])
        run = lab.start_experiment(owner=owner(request), **asked)
        return [run, "", stopping.ready(self.language)]

    # What becomes of it

    def shelve(self, run: str, arm: Any, request: gr.Request) -> list[Any]:
        """An arm's adapter is copied to the shelf, under the arm's name."""
        if arm in (None, ""):
            raise LabError("no_arms")
        who, number = owner(request), _whole(arm)
        told = lab.experiment(run, who)
        named = {at: text for text, at in arms.adapters(told, self.language)}
        if number not in named:
            raise LabError("no_adapter_yet", run=run)
        name = named[number]
        lab.shelve_arm(run, number, name, who)
        return [f'<p class="note">{safe(say("ranklab.shelved", self.language, name=name))}</p>']

    def look(self, request: gr.Request, run: str, seen: str, *view: Any) -> list[Any]:
        """What the clock asks: everything anew if anything is new. The clock goes while the
        experiment does."""
        nothing = [gr.skip()] * len(self.section.live)
        if not run:
            return nothing
        who = owner(request)
        try:
            place = lab.place_in_queue(run, who) or {}
            new = self._seen(run, who, seen, place, view)
            told = lab.experiment(run, who) if new != seen else None
        except LabError as error:
            if error.key != "no_such_run":
                raise
            return self._gone(error)  # deleted in another tab: there is nothing more to ask
        return [*self._drawn(told, place, view), new] if told else nothing

    def _seen(self, run: str, who: str, seen: str, *drawn: Any) -> str:
        """What the page shows once it is drawn with all there is by now."""
        before = json.loads(seen or "[null, 0]")
        offset = before[1] if before[0] == run else 0
        now, size = lab.run(run, who), lab.events(run, who, offset)[1]
        return json.dumps([run, size, now["state"], now["since"], *drawn])

    def _drawn(
        self, told: dict[str, Any], place: dict[str, Any], view: tuple[Any, ...]
    ) -> list[Any]:
        alive, ended = stopping.alive(told["state"]), bool(arms.ended(told))
        return [
            arms.standing(told, place, self.language),
            *stopping.offered(told["state"]),
            report_links(told["id"], self.language) if ended else "",
            views.verdict(told, self.language),
            views.figures(told, self.language, *view),
            gr.update(visible=ended and bool(view)),
            *self._shelf(told, alive),
            gr.Timer(active=alive),
        ]

    def _gone(self, error: LabError) -> list[Any]:
        """The figures stay to be read; what would need the run goes, the clock too."""
        hidden, same = gr.update(visible=False), gr.skip()
        card, clock = problem_card(error, self.language), gr.Timer(active=False)
        return [card, hidden, hidden, "", same, same, hidden, hidden, same, clock, ""]

    def _shelf(self, told: dict[str, Any], alive: bool) -> list[Any]:
        """The adapters to choose from, once nothing moves any more."""
        choices = [] if alive else arms.adapters(told, self.language)
        return [
            gr.update(visible=bool(choices)),
            gr.update(choices=choices, value=choices[0][1] if choices else None),
        ]


def _choices(kind: str, own: dict[str, Any], datasets: list[str]) -> dict[str, Any]:
    """The arguments of the experiment's builder (lab/experiments.py)."""
    if kind == "race":
        chosen = [str(label) for label in own["arms"] or []]
        return {
            "datasets": datasets,
            "ranks": [int(label) for label in chosen if label.isdigit()],
            "others": [label for label in chosen if not label.isdigit()],
            "seeds": _whole(own["seeds"]),
        }
    tried: dict[str, dict[str, Any]] = {
        "alpha": {"alphas": ALPHAS},
        "grid": GRID,
        "few": {"rows": ROWS},
        "init": {},
    }
    return tried[kind]


def _whole(value: Any) -> int:
    """A slider's number; from a program it may be anything."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 0  # which no setting allows, and its error says so
