"""One's own shelf as the page lists it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from lora_lab import lab
from lora_lab.ui import cards
from lora_lab.ui.identity import owner
from lora_lab.ui.markup import safe
from lora_lab.words import say


def listed(
    request: gr.Request, language: str, chosen: list[str], *, choose: bool = False
) -> list[Any]:
    """What stands where the list is empty, and the list. choose: chosen is to be chosen now; else
    it is what is chosen already, and is touched only where it must be, since somebody may be
    choosing meanwhile."""
    mine = lab.shelf(owner(request))
    text = safe(say("adapters.none_yet", language))
    empty = "" if mine else f'<div class="empty-state"><p>{text}</p></div>'
    choices = [(cards.line(told, language), told["id"]) for told in mine]
    update: dict[str, Any] = {"choices": choices, "visible": bool(mine)}
    there = {told["id"] for told in mine}
    kept = [id for id in chosen or [] if id in there]
    if choose or kept != (chosen or []):
        update["value"] = kept
    return [empty, gr.update(**update)]


def known(request: gr.Request, chosen: list[str]) -> list[dict[str, Any]]:
    """The chosen ones that are still there, each once, in the order of choosing."""
    there = {told["id"]: told for told in lab.shelf(owner(request))}
    return [there[id] for id in dict.fromkeys(chosen or []) if id in there]
