"""The model card that goes with an adapter, written from its facts: README.md of a zip, of the Hub.

What a stranger's file says stands in a card only where it is a name or a number, in code marks.
"""

from __future__ import annotations

import json
from typing import Any

from lora_lab.models import catalogue
from lora_lab.models.sources import HUB_ID, is_local
from lora_lab.words import number, say


def card(told: dict[str, Any], facts: dict[str, Any], language: str) -> str:
    """The card as Markdown with the Hub's front matter. told: as reading tells an adapter; facts:
    what the lab wrote beside it."""
    lines = [*_front(told["model"]), f"# {_plain(told['name'] or say('card.title', language))}", ""]
    lines += [say("card.what", language, base=_code(told["model"])), ""]
    lines += [f"- {line}" for line in _figures(told, facts, language)]
    lines += ["", say("card.load", language), "", "```python"]
    lines += ["from peft import AutoPeftModelForCausalLM", ""]
    lines += ['model = AutoPeftModelForCausalLM.from_pretrained("…")', "```", ""]
    return "\n".join([*lines, say("card.limits", language), ""])


def _front(model: str) -> list[str]:
    """On the Hub base_model must be a Hub id: a folder's name there is an error."""
    known = catalogue.find(model)
    hub_id = known.hub_id if known else model
    named = bool(HUB_ID.fullmatch(hub_id)) and not is_local(hub_id)
    front = ["---", "library_name: peft", "pipeline_tag: text-generation", "tags: [lora, lora-lab]"]
    return [*front, *([f"base_model: {json.dumps(hub_id)}"] if named else []), "---", ""]


def _figures(told: dict[str, Any], facts: dict[str, Any], language: str) -> list[str]:
    lines = []
    if told["method"]:
        method = say(f"setting.method.{told['method']}", language)
        lines.append(say("card.method", language, method=method))
    if told["rank"] is not None:
        names, scale = _code(", ".join(told["targets"])), told["alpha"] or 0
        lines.append(say("card.rank", language, rank=told["rank"], alpha=scale, names=names))
    if told["data"]:
        lines.append(say("card.data", language, data=_code(told["data"])))
    if told["heldout_loss"] is not None:
        losses = (told["heldout_loss_before"] or 0, told["heldout_loss"])
        before, after = (number(loss, language, 3) for loss in losses)
        lines.append(say("card.loss", language, before=before, after=after))
    lines += _settings(facts.get("settings"), language)
    lines += _parts((told["mix"] or {}).get("parts"), language)
    return lines + _proved(told["proof"] or {}, language)


def _settings(settings: Any, language: str) -> list[str]:
    names = ("steps", "learning_rate", "batch_size", "max_length", "seed")
    known = settings if isinstance(settings, dict) else {}
    written = ", ".join(f"{name} {known[name]}" for name in names if name in known)
    return [say("card.settings", language, settings=_code(written))] if written else []


def _parts(parts: Any, language: str) -> list[str]:
    """What a mixture was made of; empty where that is not told, or not so that it can be read."""
    try:
        told = [(str(part["name"]), float(part["weight"])) for part in parts or []]
    except (TypeError, KeyError, ValueError):
        return []
    return [
        say("card.part", language, weight=number(weight, language), name=_code(name))
        for name, weight in told[:20]
    ]


def _proved(proof: dict[str, Any], language: str) -> list[str]:
    difference = proof.get("merge_max_difference")
    if not isinstance(difference, float):
        return []
    return [say("card.merge", language, difference=number(difference, language))]


def _code(text: str) -> str:
    return f"`{_plain(text)}`"


def _plain(text: Any) -> str:
    """One line without the signs of Markdown and HTML."""
    return " ".join("".join(" " if c in "`<>[]|\\*#" else c for c in str(text)).split())
