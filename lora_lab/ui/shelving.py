"""What the Adapters tab does with the shelf itself: list, show, bring, name, delete, undo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr

from lora_lab import lab
from lora_lab.errors import LabError
from lora_lab.runs.warm import Warm
from lora_lab.ui import blending, cards, trilingual, uploads
from lora_lab.ui.adapters import MOST_MIXED, AdaptersTab
from lora_lab.ui.calm import calmly
from lora_lab.ui.identity import owner
from lora_lab.ui.markup import note
from lora_lab.ui.shelf_list import known, listed
from lora_lab.ui.training import QUIET, SLOW
from lora_lab.words import say


class Shelving:
    """The handlers of one language's Adapters tab. loopback: folders may be imported."""

    def __init__(self, language: str, warm: Warm, *, loopback: bool):
        self.language, self.warm, self.loopback = language, warm, loopback

    def list_adapters(self, request: gr.Request, chosen: list[str]) -> list[Any]:
        return listed(request, self.language, chosen)

    def show(self, request: gr.Request, chosen: list[str]) -> list[Any]:
        """The cards of the chosen ones, and the sections that make sense for so many."""
        told = known(request, chosen)
        one = told[0] if len(told) == 1 else None
        drawn = cards.cards(told, self.language) or note("adapters.choose", self.language)
        shown = [gr.update(visible=one is not None)] * 4  # one, push, prove, merge
        return [drawn, *shown, *self._alone(one), *self._together(told)]

    def _alone(self, one: dict[str, Any] | None) -> list[Any]:
        """Links, name, tags, and what was told of proving and merging."""
        if one is None:
            return ["", "", "", "", ""]
        link = cards.link_to("adapter.zip", one["id"], "adapters.download", self.language)
        links, tags = f'<p class="keep">{link}</p>', ", ".join(one["tags"])
        return [links, one["name"], tags, "", cards.merged(one, self.language)]

    def _together(self, told: list[dict[str, Any]]) -> list[Any]:
        """The section that mixes, a slider for each, and what was told of mixing."""
        weights = [
            gr.update(visible=True, label=cards.title(told[place], self.language))
            if place < len(told)
            else gr.update(visible=False)
            for place in range(MOST_MIXED)
        ]
        return [gr.update(visible=len(told) >= 2), *weights, ""]

    def upload(self, request: gr.Request, payload: Any, model: str) -> Iterator[list[Any]]:
        path, name = uploads.accepted(payload)
        yield from self._bring(request, model, archive=str(path), name=name.removesuffix(".zip"))

    def fetch(
        self, request: gr.Request, hub_id: str, folder: str, model: str
    ) -> Iterator[list[Any]]:
        """An adapter of the Hub or, on one's own machine, of a folder."""
        if folder and not self.loopback:
            raise LabError("local_path_on_shared_server", model=folder)
        where = {"folder": folder} if folder else {"hub_id": hub_id or ""}
        name = (folder or hub_id or "").rstrip("/").rpartition("/")[2]
        yield from self._bring(request, model, **where, name=name)

    def _bring(self, request: gr.Request, model: str, **source: str) -> Iterator[list[Any]]:
        asked = {"owner": owner(request), "model": model or "", "local_bases": self.loopback}
        for event in self.warm.call("import_adapter", **asked, **source):
            if event["kind"] == "imported":
                name = cards.title(event, self.language)
                told = say("adapters.imported", self.language, name=name)
                base = say(f"shelf.base.{event['base']}", self.language)
                chosen = listed(request, self.language, [event["id"]], choose=True)
                yield [cards.said(told, base), *chosen]
            else:
                yield [cards.waiting(event, self.language), gr.skip(), gr.skip()]

    def keep(self, request: gr.Request, chosen: list[str], name: str, tags: str) -> list[Any]:
        for told in known(request, chosen)[:1]:
            lab.name_adapter(told["id"], owner(request), name or "", (tags or "").split(","))
        return [cards.said(say("adapters.kept", self.language))]

    def delete(self, request: gr.Request, chosen: list[str]) -> list[Any]:
        """Off the shelf, with the way back shown."""
        gone = [told["id"] for told in known(request, chosen)]
        for id in gone:
            lab.delete_adapter(id, owner(request))
        done = cards.said(say("adapters.deleted", self.language))
        left = listed(request, self.language, [], choose=True)
        return [done, *left, gr.update(visible=bool(gone)), json.dumps(gone)]

    def undo(self, request: gr.Request, deleted: str) -> list[Any]:
        back = [id for id in json.loads(deleted or "[]") if isinstance(id, str)]
        for id in back:
            lab.restore_adapter(id, owner(request))
        done = cards.said(say("adapters.restored", self.language))
        shelf = listed(request, self.language, back, choose=True)
        return [done, *shelf, gr.update(visible=False), ""]


def wire(tab: AdaptersTab, language: str, warm: Warm, shown: list[Any], *, loopback: bool) -> None:
    """shown: the events on which the shelf is read anew, the opening of the page first."""
    does = Shelving(language, warm, loopback=loopback)
    one, mix, shelf = tab.one, tab.mix, [tab.empty, tab.chosen]
    read = calmly(language, 2)(does.list_adapters)
    asked = {"fn": read, "inputs": tab.chosen, "outputs": [*shelf, tab.problem], **QUIET}
    gr.on(shown, trigger_mode="always_last", **asked)
    drawn = [tab.cards, one["group"], tab.push["group"], tab.prove["group"], tab.merge["group"]]
    drawn += [one["links"], one["name"], one["tags"], tab.prove["told"], tab.merge["told"]]
    drawn += [mix["group"], *mix["weights"], mix["told"]]
    show = calmly(language, len(drawn))(does.show)
    look = {"fn": show, "inputs": tab.chosen, "outputs": [*drawn, tab.problem], **QUIET}
    tab.chosen.change(trigger_mode="always_last", **look)
    _bring(tab, does, [tab.done, *shelf, tab.problem])
    keep = calmly(language, 1)(does.keep)
    named = [tab.chosen, one["name"], one["tags"]]
    kept = one["keep"].click(keep, named, [tab.done, tab.problem], **QUIET)
    kept.success(**asked).success(**look)
    gone = [tab.done, *shelf, tab.undo, tab.deleted, tab.problem]
    delete, undo = (calmly(language, 5)(act) for act in (does.delete, does.undo))
    one["delete"].click(delete, tab.chosen, gone, **QUIET)
    tab.undo.click(undo, tab.deleted, gone, **QUIET)
    blending.wire(tab, language, warm)
    trilingual.wire(tab.languages, language, warm, shown[0])


def _bring(tab: AdaptersTab, does: Shelving, brought: list[Any]) -> None:
    bring = tab.bring
    upload, fetch = (calmly(does.language, 3)(act) for act in (does.upload, does.fetch))
    file = [bring["upload"], bring["model"]]
    bring["upload"].upload(upload, file, brought, concurrency_limit=None, **SLOW)
    named = [bring["hub"], bring["folder"], bring["model"]]
    bring["go"].click(fetch, named, brought, concurrency_limit=None, **SLOW)
