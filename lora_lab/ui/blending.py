"""What the Adapters tab does with the chosen ones: mix, prove, merge, give to the Hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from lora_lab import lab
from lora_lab.errors import LabError
from lora_lab.runs.warm import Warm
from lora_lab.ui import cards
from lora_lab.ui.adapters import MOST_MIXED, AdaptersTab
from lora_lab.ui.calm import calmly
from lora_lab.ui.identity import owner
from lora_lab.ui.shelf_list import known, listed
from lora_lab.ui.training import QUIET, SLOW
from lora_lab.words import number, say


class Blending:
    """The handlers of one language's sections."""

    def __init__(self, language: str, warm: Warm):
        self.language, self.warm = language, warm

    def recipe(self, method: str) -> list[Any]:
        """What a way of mixing needs to know."""
        return [gr.update(visible=method != "sum"), gr.update(visible=method in ("ties", "dare"))]

    def look(self, request: gr.Request, *values: Any) -> Iterator[list[Any]]:
        """Mix and tell what was lost, without keeping it."""
        for event in self.warm.call("mix_adapters", **self._asked(request, *values)):
            yield [self._mixed(event)]

    def save(self, request: gr.Request, *values: Any) -> Iterator[list[Any]]:
        """Mix and put the mixture on the shelf."""
        chosen, name = values[0], values[-1]
        told = known(request, chosen)
        called = name.strip() if name else self._called(told, values[1 : 1 + MOST_MIXED])
        place = {"owner": owner(request), "name": called, "model": told[0]["model"] if told else ""}
        for event in self.warm.call("mix_adapters", **self._asked(request, *values), **place):
            if event["kind"] == "mixed":
                chosen = listed(request, self.language, [event["id"]], choose=True)
                yield [self._mixed(event), *chosen]
            else:
                yield [self._mixed(event), gr.skip(), gr.skip()]

    def _asked(self, request: gr.Request, chosen: list[str], *values: Any) -> dict[str, Any]:
        weights, (method, rank, density, _) = values[:MOST_MIXED], values[MOST_MIXED:]
        told = known(request, chosen)
        if len(told) < 2 or len(told) > MOST_MIXED:
            raise LabError("mix_count", most=MOST_MIXED)
        models = sorted({each["model"] for each in told})
        if len(models) > 1:
            raise LabError("different_bases", models=", ".join(models))
        who = owner(request)
        parts = [
            (lab.adapter_folder(each["id"], who), float(weight), cards.title(each, self.language))
            for each, weight in zip(told, weights, strict=False)
        ]
        how = "sum" if method == "svd" else method
        compressed = 0 if method == "sum" else int(rank or 0)
        if method != "sum" and not compressed:
            raise LabError("mix_needs_rank", method=str(method).upper())
        return {"parts": parts, "method": how, "rank": compressed, "density": float(density)}

    def _called(self, told: list[dict[str, Any]], weights: tuple[Any, ...]) -> str:
        """What a mixture is called that nobody named."""
        parts = zip(told, weights, strict=False)
        return " + ".join(
            f"{number(float(w), self.language)} × {each['name'] or each['data'] or each['id'][-4:]}"
            for each, w in parts
        )

    def _mixed(self, event: dict[str, Any]) -> str:
        if event["kind"] == "mixed":
            return cards.mixture(event, self.language)
        return cards.waiting(event, self.language)

    def prove(self, request: gr.Request, chosen: list[str]) -> Iterator[list[Any]]:
        one = self._one(request, chosen)
        folder = lab.adapter_folder(one["id"], owner(request))
        for event in self.warm.call("prove_adapter", folder=folder, model=one["model"]):
            if event["kind"] == "proof":
                yield [cards.proved({"proof": event}, self.language)]
            else:
                yield [cards.waiting(event, self.language)]

    def merge(self, request: gr.Request, chosen: list[str], precision: str) -> Iterator[list[Any]]:
        one, who = self._one(request, chosen), owner(request)
        asked = {"id": one["id"], "owner": who, "precision": precision}
        for event in self.warm.call("merge_shelved", **asked):
            if event["kind"] == "merged":
                yield [cards.merged(lab.adapter(one["id"], who), self.language)]
            else:
                yield [cards.waiting(event, self.language)]

    def push(
        self, request: gr.Request, chosen: list[str], repository: str, token: str, private: bool
    ) -> list[Any]:
        """The token goes to the Hub and nowhere else; the field is emptied."""
        one = self._one(request, chosen)
        folder = Path(lab.adapter_folder(one["id"], owner(request)))
        name = cards.title(one, self.language)
        given = (repository or "", token or "", self.language, bool(private))
        address = lab.push_adapter(folder, *given, name=name, model=one["model"])
        return [cards.said(say("adapters.pushed", self.language, address=address)), ""]

    def _one(self, request: gr.Request, chosen: list[str]) -> dict[str, Any]:
        told = known(request, chosen)
        if len(told) != 1:
            raise LabError("one_adapter")
        return told[0]


def wire(tab: AdaptersTab, language: str, warm: Warm) -> None:
    does = Blending(language, warm)
    _mix(tab, does)
    proves, merges = (calmly(language, 1)(act) for act in (does.prove, does.merge))
    proved = [tab.prove["told"], tab.problem]
    tab.prove["go"].click(proves, tab.chosen, proved, concurrency_limit=None, **SLOW)
    chosen = [tab.chosen, tab.merge["precision"]]
    tab.merge["go"].click(
        merges, chosen, [tab.merge["told"], tab.problem], concurrency_limit=None, **SLOW
    )
    pushes, push = calmly(language, 2)(does.push), tab.push
    told = [tab.chosen, push["repository"], push["token"], push["private"]]
    push["go"].click(pushes, told, [tab.done, push["token"], tab.problem], **SLOW)


def _mix(tab: AdaptersTab, does: Blending) -> None:
    mix, language = tab.mix, does.language
    mix["method"].change(does.recipe, mix["method"], [mix["rank"], mix["density"]], **QUIET)
    inputs = [tab.chosen, *mix["weights"], mix["method"], mix["rank"], mix["density"], mix["name"]]
    look, save = calmly(language, 1)(does.look), calmly(language, 3)(does.save)
    mix["look"].click(look, inputs, [mix["told"], tab.problem], concurrency_limit=None, **SLOW)
    mix["save"].click(
        save, inputs, [tab.done, tab.empty, tab.chosen, tab.problem], concurrency_limit=None, **SLOW
    )
