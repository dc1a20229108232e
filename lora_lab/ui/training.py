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
from lora_lab.data import reading
from lora_lab.errors import LabError
from lora_lab.lora.targets import FAMILIES
from lora_lab.models.sources import is_local
from lora_lab.runs.warm import Warm
from lora_lab.ui import facts as facts_row
from lora_lab.ui import form, uploads
from lora_lab.ui.drawing import pictured
from lora_lab.ui.markup import note, problem_card, safe
from lora_lab.ui.preview import preview, summary
from lora_lab.ui.train import TrainTab
from lora_lab.words import number, say

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

    def numbers(self, known: str, *values: Any) -> list[Any]:
        """The facts, the drawing and the model's card, from arithmetic alone."""
        own = gr.update(visible=values[0] == form.OTHER)
        if values[0] == form.OTHER and not values[1]:
            return [facts_row.unknown(self.language), "", "", own]
        return [*self._picture(self.settings(values), json.loads(known or "{}")), own]

    def at_first(self) -> list[str]:
        """Facts, drawing and cards of the defaults: they hold the places of what the page asks
        for once it is open, so that nothing jumps."""
        settings = Settings()
        return [*self._picture(settings, {}), self._data_card(settings.data)]

    def method(self, chosen: str) -> list[Any]:
        """A method was chosen: the settings that it does not read are put away."""
        return [gr.update(visible=form.used(name, chosen)) for name in form.USED_BY]

    def matrices(self, *values: Any) -> Any:
        """A model was chosen: its own matrices stand among the targets, by name and shape."""
        families = form.named_choices("targets", FAMILIES, self.language)
        try:
            own = lab.matrices(self.settings(values).model)
        except LabError:
            own = []  # said elsewhere: the numbers and the model's card are made of the same
        return gr.update(
            choices=[*families, *((kind(each, self.language), each["name"]) for each in own)]
        )

    def _picture(self, settings: Settings, known: dict[str, Any]) -> list[Any]:
        card = self._model_card(settings.model)
        try:
            count = lab.count(settings)
            forecast = lab.forecast(settings, known if "mean_tokens" in known else None)
        except LabError as error:
            if error.key != "shapes_unknown":
                raise
            return [facts_row.unknown(self.language), "", card]
        picture = pictured(settings, count, self.language)
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
        if values[0] == form.OTHER and values[1]:
            yield [note("train.reading_shapes", self.language)]
            make_known(self.warm, settings)
            yield [note("train.model_unknown", self.language)]

    # Data

    def take_upload(self, payload: Any) -> list[Any]:
        """A file came: it is the data now, and its columns are found anew."""
        path, name = uploads.accepted(payload)
        own = (say("train.your_file", self.language, name=name), form.UPLOAD)
        choices = [*sample_choices(self.samples.values(), self.language), own]
        fresh = [gr.update(value="auto"), *[gr.update(value="")] * len(form.COLUMNS[1:])]
        return [gr.update(choices=choices, value=form.UPLOAD), uploads.kept(path, name), *fresh]

    def check(self, uploaded: str, *values: Any) -> list[Any]:
        """The data was chosen, or what its columns mean: it is read and checked whole, at once."""
        chosen = dict(zip(self.tab.form.names, values, strict=True))
        path, name = None, None
        try:
            settings = form.settings(chosen | {"model": "", "other": ""})
            path, name = self.source(settings, uploaded)
            found = lab.check(settings, path, name)
        except LabError as error:
            # The columns may only need to be named: they are offered where they can be read.
            columns = columns_of(path, name)
            shown = gr.update(visible=bool(columns), open=True)
            return [
                problem_card(error, self.language),
                shown,
                gr.skip(),
                *self._roles(columns, chosen),
                "",
                "",
            ]
        columns = found["all_columns"] if path else []
        if path:
            card, sight = summary(found, self.language), gr.update(open=_at_a_glance(found))
        else:
            card, sight = self._data_card(settings.data), gr.skip()
        told = json.dumps({"rows": found["rows"], "fingerprint": found["fingerprint"]})
        shown = gr.update(visible=bool(columns), open=False)
        return [card, shown, sight, *self._roles(columns, chosen), "", told]

    def _data_card(self, sample: str) -> str:
        return note(self.samples[sample]["card"], self.language)

    def named(self, uploaded: str, *values: Any) -> list[Any]:
        """As check, for a column that was named: the lists of columns stay as they are, since an
        update would close the one that the person has open by now."""
        card, _, sight, *roles_and_after = self.check(uploaded, *values)
        return [card, sight, *roles_and_after[-2:]]

    def own_file(self, kept: str) -> tuple[str, str] | None:
        """The choice of the remembered upload, while it is still there."""
        try:
            _, name = uploads.remembered(kept)
        except LabError:
            return None
        return say("train.your_file", self.language, name=name), form.UPLOAD

    def _roles(self, columns: list[str], chosen: dict[str, Any]) -> list[Any]:
        """The choices of which column plays which role; one that is not there is unchosen."""
        choices = [(say("setting.shape.auto", self.language), ""), *((c, c) for c in columns)]
        roles = (chosen[name] or "" for name in form.COLUMNS[1:])
        return [gr.update(choices=choices, value=r if r in columns else "") for r in roles]

    def glance(self, uploaded: str, told: str, *values: Any) -> Any:
        """The preview that comes by itself after a check, where it takes no long time."""
        if _at_a_glance(json.loads(told or "{}")):
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
        return [preview(event, self.language), json.dumps({name: event[name] for name in names})]


def _at_a_glance(found: dict[str, Any]) -> bool:
    return 0 < found.get("rows", 0) <= GLANCE_ROWS


def sample_choices(samples: Any, language: str) -> list[tuple[str, str]]:
    return [(say(sample["title"], language), sample["name"]) for sample in samples]


def kind(told: dict[str, Any], language: str) -> str:
    """A kind of matrix as a target: how many there are, and what each makes of what."""
    each = "{} → {}".format(*(number(told[f"{w}_features"], language) for w in ("in", "out")))
    return f"{told['name']} · {told['count']} × ({each})"


def columns_of(path: Path | None, name: str | None) -> list[str]:
    """The columns of a file whose rows can be read; none where they cannot."""
    try:
        return reading.read(path, name).columns if path else []
    except LabError:
        return []


def make_known(warm: Warm, settings: Settings) -> None:
    """Have the warm process read the shapes of a model that nobody measured yet."""
    try:
        lab.count(settings)
    except LabError as error:
        if error.key != "shapes_unknown":
            raise
        for _ in warm.call("describe", model=settings.model):
            pass  # it may wait its turn
