"""What happens to a run on the Train tab: opened, started, looked at, stopped, resumed."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from typing import Any

import gradio as gr

from lora_lab import lab
from lora_lab.config import Settings, from_json
from lora_lab.errors import LabError
from lora_lab.models import shapes
from lora_lab.training import rates
from lora_lab.ui import form, live, stopping
from lora_lab.ui.calm import told
from lora_lab.ui.exports import links
from lora_lab.ui.identity import owner
from lora_lab.ui.markup import problem_card
from lora_lab.ui.train import TrainTab
from lora_lab.ui.training import Training, make_known, sample_choices


class Watching:
    """The handlers of one language's Train tab that have to do with a run."""

    def __init__(self, tab: TrainTab, trains: Training):
        self.tab, self.trains, self.language = tab, trains, trains.language

    def start(self, request: gr.Request, uploaded: str, reading: str, *values: Any) -> list[Any]:
        """reading: what the preview told of the rows; the forecast is made from the same."""
        settings = self.trains.settings(values)
        path, name = self.trains.source(settings, uploaded)
        make_known(self.trains.warm, settings)
        run = lab.start(settings, owner(request), path, name, json.loads(reading or "{}"))
        return [run, "", stopping.ready(self.language)]

    def open(self, request: gr.Request, kept: str) -> list[Any]:
        """The page was opened: its address says which run and which settings; kept: the upload
        that the browser remembers."""
        query = dict(request.query_params)
        settings, run, card = Settings(), "", ""
        try:
            settings = form.from_query(query)
            settings, run = self._asked_for(query, settings, owner(request))
        except Exception as error:
            card = problem_card(told(error), self.language)
        shown = form.shown(settings, list(self.trains.models), list(self.trains.samples))
        own = self.trains.own_file(kept)
        if own:
            choices = [*sample_choices(self.trains.samples.values(), self.language), own]
            value = form.UPLOAD if query.get("data") == form.UPLOAD else shown["data"].get("value")
            shown["data"] = gr.update(choices=choices, value=value)
        return [
            *(shown[name] for name in self.tab.form.names),
            run,
            kept if own else "",
            secrets.token_hex(4),
            card,
        ]

    def _asked_for(
        self, query: dict[str, str], settings: Settings, who: str
    ) -> tuple[Settings, str]:
        """Settings and run of an address; without a run, the one that still goes or, else, this
        person's last."""
        run = query.get("run", "")
        if not run:
            mine = [r for r in lab.runs(who) if r["task"] == "text"]
            going = [run for run in mine if stopping.alive(run["state"])]
            return settings, next((run["id"] for run in [*going, *mine]), "")
        try:
            told = lab.run(run, who)
        except LabError:
            raise LabError("not_your_run") from None
        asked = as_asked(from_json(told["settings"]))
        if told["task"] != "text":
            return form.from_query({**asked, **query}), ""  # shown in the Rank lab
        return form.from_query({**asked, **query}), run

    def look(self, run: str, seen: str, request: gr.Request) -> list[Any]:
        """What the clock asks once a second: everything anew if anything is new."""
        nothing = [gr.skip()] * len(self.tab.live)
        if not run:
            return nothing
        who = owner(request)
        now = lab.run(run, who)
        place = lab.place_in_queue(run, who) or {}
        events, size = lab.events(run, who, 0)
        new = json.dumps([run, size, now["state"], now["since"], place])
        if new == seen:
            return nothing
        return [
            live.standing(now, events, place, self.language),
            *stopping.offered(now["state"]),
            gr.update(visible=bool(now["adapter"])),
            links([now], self.language) if now["adapter"] else "",
            live.curves(now, events, self.language),
            live.sample(events, self.language),
            new,
        ]


def as_asked(settings: Settings) -> dict[str, Any]:
    """A run's settings for the form: a learning rate that was left to the lab is left to it again,
    so that it goes on following the rank."""
    free = replace(settings, learning_rate=0.0)
    try:
        taken = rates.settled(free, shapes.shapes(settings.model).small)
    except LabError:  # a model whose sizes were forgotten since
        return vars(settings)
    return vars(free if taken == settings else settings)
