"""What the Train tab does: one small function for each thing a person can touch.

Listeners take the widgets' raw values (preprocess=False): Gradio's own range checks speak English
and Settings checks them all the same. Nothing is kept in the server between two events.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr

from lora_lab import lab
from lora_lab.config import Settings
from lora_lab.errors import LabError
from lora_lab.ui import facts as facts_row
from lora_lab.ui import form, live, uploads
from lora_lab.ui.calm import told
from lora_lab.ui.drawing import drawing
from lora_lab.ui.exports import links
from lora_lab.ui.identity import owner
from lora_lab.ui.markup import note, problem_card, safe
from lora_lab.ui.preview import preview, summary
from lora_lab.runs.warm import Warm
from lora_lab.ui.train import TrainTab
from lora_lab.words import say

QUIET = {
    "queue": False,
    "show_progress": "hidden",
    "preprocess": False,
    "api_visibility": "private",
}
SLOW = {**QUIET, "queue": True}
GLANCE_ROWS = 5000  # of a larger file the preview comes when it is asked for


class Training:
    """The handlers of one language's Train tab. loopback: local folders may be named."""

    def __init__(self, tab: TrainTab, language: str, warm: Warm, *, loopback: bool):
        self.tab, self.language, self.warm, self.loopback = tab, language, warm, loopback
        self.models = {model["name"]: model for model in lab.models()}
        self.samples = {sample["name"]: sample for sample in lab.sample_datasets()}

    # What the settings mean

    def settings(self, values: tuple[Any, ...]) -> Settings:
        wanted = form.settings(dict(zip(self.tab.form.names, values, strict=True)))
        if not self.loopback and is_local(wanted.model):
            raise LabError("local_path_on_shared_server", model=wanted.model)
        return wanted

    def source(self, settings: Settings, uploaded: str) -> tuple[Path | None, str | None]:
        """The uploaded file and what its owner calls it; none of both for a sample."""
        if not settings.data:
            return uploads.remembered(uploaded)
        if settings.data not in self.samples:
            raise LabError("not_a_sample", data=settings.data[:200])
        return None, None

    def numbers(self, reading: str, *values: Any) -> list[Any]:
        """The facts, the drawing and the model's card, from arithmetic alone."""
        own = gr.update(visible=values[0] == form.OTHER)
        if values[0] == form.OTHER and not values[1]:
            return [facts_row.unknown(self.language), "", "", own]
        return [*self._picture(self.settings(values), json.loads(reading or "{}")), own]

    def _picture(self, settings: Settings, reading: dict[str, Any]) -> list[Any]:
        card = self._model_card(settings.model)
        try:
            count = lab.count(settings)
            forecast = lab.forecast(settings, reading if "mean_tokens" in reading else None)
        except LabError as error:
            if error.key != "shapes_unknown":
                raise
            return [facts_row.unknown(self.language), "", card]
        first = count["matrix"]
        caption = say(
            "drawing.caption", self.language, name=first["path"], matrices=count["matrices"]
        )
        rows, columns = first["out_features"], first["in_features"]
        picture = drawing(rows, columns, settings.rank, settings.alpha, self.language, caption)
        return [facts_row.facts(count, forecast, settings.steps, self.language), picture, card]

    def _model_card(self, name: str) -> str:
        model = self.models.get(name)
        if not model:
            return note("train.model_unknown", self.language)
        card = say(
            "train.model_card",
            self.language,
            parameters=facts_row.short(model["parameters"], self.language),
            size=facts_row.byte_size(model["size_bytes"], self.language),
            licence=model["licence"],
            good_for=say(model["good_for"], self.language),
        )
        return f'<p class="note">{safe(card)}</p>'

    def describe(self, *values: Any) -> Any:
        """A model that is in no table was named: read its shapes, in the warm process."""
        settings = self.settings(values)
        try:
            lab.count(settings)
        except LabError as error:
            if error.key != "shapes_unknown":
                raise
            yield [note("train.reading_shapes", self.language)]
            for _ in self.warm.call("describe", model=settings.model):
                pass
            yield [note("train.model_unknown", self.language)]

    # Data

    def take_upload(self, payload: Any, *values: Any) -> list[Any]:
        """A file came: it is checked whole, at once; its columns can then be chosen."""
        path, name = uploads.accepted(payload)
        chosen = dict(zip(self.tab.form.names, values, strict=True)) | {"data": form.UPLOAD}
        chosen |= dict.fromkeys(form.COLUMNS[1:], "") | {"shape": "auto"}
        own = [(say("train.your_file", self.language, name=name), form.UPLOAD)]
        choices = [*sample_choices(self.samples.values(), self.language), *own]
        kept = [gr.update(choices=choices, value=form.UPLOAD), uploads.kept(path, name)]
        try:
            found = lab.check(form.settings(chosen), path, name)
        except LabError as error:
            # The columns may only need to be named: the file stays chosen, with its fault shown.
            columns = columns_of(path, name)
            card = problem_card(error, self.language)
            return [*kept, card, gr.update(visible=bool(columns), open=True), *self._roles(columns), "", ""]
        card, columns = summary(found, self.language), found["all_columns"]
        shown = gr.update(visible=bool(columns), open=False)
        return [*kept, card, shown, *self._roles(columns), "", json.dumps({"rows": found["rows"]})]

    def check(self, uploaded: str, *values: Any) -> list[Any]:
        """The data or what its columns mean was changed."""
        settings = self.settings(values)
        path, name = self.source(settings, uploaded)
        try:
            found = lab.check(settings, path, name)
        except LabError as error:
            return [problem_card(error, self.language), gr.skip(), "", ""]
        card = summary(found, self.language)
        if path is None:
            card = note(self.samples[settings.data]["card"], self.language) + card
        own = gr.update(visible=path is not None and bool(found["all_columns"]))
        return [card, own, "", json.dumps({"rows": found["rows"]})]

    def _roles(self, columns: list[str]) -> list[Any]:
        automatic = (say("setting.shape.auto", self.language), "")
        role = gr.update(choices=[automatic, *((c, c) for c in columns)], value="")
        return [gr.update(value="auto"), *[role] * len(form.COLUMNS[1:])]

    def glance(self, uploaded: str, reading: str, *values: Any) -> Any:
        """The preview that comes by itself, where it takes no long time."""
        if 0 < json.loads(reading or "{}").get("rows", 0) <= GLANCE_ROWS:
            yield from self.preview(uploaded, *values)

    def preview(self, uploaded: str, *values: Any) -> Any:
        settings = self.settings(values)
        path, name = self.source(settings, uploaded)
        yield [note("preview.working", self.language), gr.skip()]
        asked = {"settings": vars(settings), "path": path and str(path), "name": name}
        for event in self.warm.call("preview", **asked):
            yield self._previewed(event)

    def _previewed(self, event: dict[str, Any]) -> list[Any]:
        if event["kind"] == "waiting":
            return [note("preview.waiting", self.language, place=event["place"]), gr.skip()]
        if event["kind"] == "not_here":
            return [note("preview.not_here", self.language), gr.skip()]
        names = ("rows", "mean_tokens", "supervised_share", "heldout_rows")
        reading = {name: event[name] for name in names}
        return [preview(event, self.language), json.dumps(reading)]

    # The run

    def start(self, request: gr.Request, uploaded: str, *values: Any) -> list[Any]:
        settings = self.settings(values)
        path, name = self.source(settings, uploaded)
        run = lab.start(settings, owner(request), path, name)
        return [run, *self._look(run, "", request)]

    def look(self, run: str, seen: str, request: gr.Request) -> list[Any]:
        """What the clock asks once a second: everything anew if anything is new."""
        return self._look(run, seen, request)

    def stop(self, run: str, request: gr.Request) -> list[Any]:
        lab.stop(run, owner(request))
        return [gr.update(interactive=False)]

    def resume(self, run: str, request: gr.Request) -> list[Any]:
        lab.resume(run, owner(request))
        return self._look(run, "", request)

    def open(self, request: gr.Request) -> list[Any]:
        """The page was opened: its address says which run and which settings."""
        query = dict(request.query_params)
        settings, run, card = Settings(), "", ""
        try:
            settings, run = self._asked_for(query, owner(request))
        except Exception as error:
            card = problem_card(told(error), self.language)
        shown = form.shown(settings, list(self.models), list(self.samples))
        return [*(shown[name] for name in self.tab.form.names), run, card]

    def _asked_for(self, query: dict[str, str], who: str) -> tuple[Settings, str]:
        """Settings and run of an address; without a run, this person's newest that still goes."""
        settings, run = form.from_query(query), query.get("run", "")
        if not run:
            return settings, next((r["id"] for r in lab.runs(who) if _alive(r)), "")
        asked = lab.run(run, who)["settings"]
        return form.from_query({**asked, **query}), run

    def _look(self, run: str, seen: str, request: gr.Request) -> list[Any]:
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
        alive = _alive(now)
        return [
            live.standing(now, events, place, self.language),
            gr.update(visible=alive, interactive=True),
            gr.update(visible=now["state"] in ("stopped", "failed")),
            links([now], self.language) if now["adapter"] else "",
            live.curves(now, events, self.language),
            live.sample(events, self.language),
            new,
            gr.Timer(1.0 if alive else 3.0),
        ]


def sample_choices(samples: Any, language: str) -> list[tuple[str, str]]:
    return [(say(sample["title"], language), sample["name"]) for sample in samples]


def _alive(run: dict[str, Any]) -> bool:
    return run["state"] in ("queued", "running")


def columns_of(path: Path, name: str) -> list[str]:
    """The columns of a file whose rows can be read; none where they cannot."""
    from lora_lab.data import reading

    try:
        return reading.read(path, name).columns
    except LabError:
        return []


def is_local(model: str) -> bool:
    """Whether a model's name means a place on this machine rather than one on the Hub."""
    return model.startswith(("/", "~", ".", "\\")) or Path(model).exists()
