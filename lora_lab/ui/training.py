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
from lora_lab.runs.warm import Warm
from lora_lab.ui import facts as facts_row
from lora_lab.ui import form, uploads
from lora_lab.ui.drawing import drawing
from lora_lab.ui.markup import note, problem_card, safe
from lora_lab.ui.preview import preview, summary
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
            return [
                *kept,
                card,
                gr.update(visible=bool(columns), open=True),
                *self._roles(columns),
                "",
                "",
            ]
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

    def own_file(self, kept: str) -> tuple[str, str] | None:
        """The choice of the remembered upload, while it is still there."""
        try:
            _, name = uploads.remembered(kept)
        except LabError:
            return None
        return say("train.your_file", self.language, name=name), form.UPLOAD

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


def sample_choices(samples: Any, language: str) -> list[tuple[str, str]]:
    return [(say(sample["title"], language), sample["name"]) for sample in samples]


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
