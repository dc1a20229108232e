"""Adapters as cards, mixtures and proofs as sentences: pure functions to HTML."""

from __future__ import annotations

import time
from typing import Any

from lora_lab.shelf import proof
from lora_lab.ui import live
from lora_lab.ui.markup import note, safe
from lora_lab.words import byte_size, duration, number, say

MINUTE, DAY = 60, 24 * 3600  # seconds
SHOWN_TARGETS = 8


def title(told: dict[str, Any], language: str) -> str:
    """What an adapter is called: its name, else what it learned from and how."""
    if told["name"]:
        return told["name"]
    model = told["model"].rpartition("/")[2]
    data = live.data_name(told["data"], language) if told["data"] else say("card.title", language)
    facts = {"data": data, "model": model}
    if told["method"] is None:
        return f"{facts['data']} · {facts['model']}"
    sizes = {name: told[name] for name in ("rank", "alpha", "prefix_tokens")}
    return say("run.title", language, **facts, method=live.method(told["method"], sizes, language))


def line(told: dict[str, Any], language: str) -> str:
    """An adapter in one line, to be chosen by."""
    parts = [title(told, language), say(f"shelf.kind.{told['kind']}", language)]
    if told["heldout_loss"] is not None:
        parts.append(number(told["heldout_loss"], language, 2))
    parts += [age(told["created"], language), *(f"#{tag}" for tag in told["tags"])]
    return " · ".join(parts)


def age(created: float, language: str) -> str:
    seconds = time.time() - created
    if seconds < MINUTE:
        return say("adapters.age_new", language)
    if seconds < DAY:
        return say("adapters.age", language, time=duration(seconds, language))
    return say("adapters.age_days", language, days=int(seconds / DAY))


def cards(adapters: list[dict[str, Any]], language: str) -> str:
    drawn = "".join(_card(told, language) for told in adapters)
    return f'<div class="columns">{drawn}</div>' if drawn else ""


def _card(told: dict[str, Any], language: str) -> str:
    rows = "".join(
        f"<dt>{safe(say(f'adapters.fact.{name}', language))}</dt><dd>{safe(value)}</dd>"
        for name, value in _facts(told, language)
        if value
    )
    tags = " ".join(f'<span class="state">{safe(tag)}</span>' for tag in told["tags"])
    return (
        f'<article class="shelved"><h2>{safe(title(told, language))}</h2>{tags}'
        f"<dl>{rows}</dl>{proved(told, language)}</article>"
    )


def _facts(told: dict[str, Any], language: str) -> list[tuple[str, str]]:
    method = say(f"setting.method.{told['method']}", language) if told["method"] else "–"
    return [
        ("kind", say(f"shelf.kind.{told['kind']}", language)),
        ("base", told["model"]),
        ("method", method),
        ("rank", _rank(told, language)),
        ("targets", ", ".join(told["targets"][:SHOWN_TARGETS])),
        ("data", live.data_name(told["data"] or "", language)),
        ("loss", _loss(told, language)),
        ("mix", _parts(told, language)),
        ("size", byte_size(told["bytes"], language)),
        ("age", age(told["created"], language)),
    ]


def _rank(told: dict[str, Any], language: str) -> str:
    if told["rank"] is None:
        return ""
    rank, alpha = (number(told[name] or 0, language) for name in ("rank", "alpha"))
    return f"{rank} · {alpha}"


def _loss(told: dict[str, Any], language: str) -> str:
    if told["heldout_loss"] is None:
        return ""
    after = number(told["heldout_loss"], language, 3)
    before = told["heldout_loss_before"]
    return after if before is None else f"{number(before, language, 3)} → {after}"


def _parts(told: dict[str, Any], language: str) -> str:
    parts = (told["mix"] or {}).get("parts")
    known = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return " + ".join(f"{part.get('weight')} × {part.get('name')}" for part in known[:8])


def proved(told: dict[str, Any], language: str) -> str:
    """The proof kept with an adapter; empty while there is none."""
    if not told["proof"]:
        return ""
    drawn = "".join(f"<li>{safe(text)}</li>" for text in proof.lines(told["proof"], language))
    return f'<ul class="proof">{drawn}</ul>'


def mixture(event: dict[str, Any], language: str) -> str:
    """What a mixture came to, and what compressing it lost."""
    lines = [
        say(
            "adapters.mixed.told",
            language,
            rank=event["rank"],
            matrices=event["matrices"],
            size=byte_size(event["bytes"], language),
        )
    ]
    if event["error"] < 1e-6:
        lines.append(say("adapters.mixed.exact", language))
    else:
        percent = number(100 * event["error"], language)
        lines.append(say("adapters.mixed.lost", language, percent=percent))
        worst = (f"{e['path']} {number(100 * e['error'], language)} %" for e in event["worst"][:3])
        lines.append(say("adapters.mixed.worst", language, worst=", ".join(worst)))
    return said(*lines)


def merged(told: dict[str, Any], language: str) -> str:
    """What the last merge of an adapter gave, and where to download it; empty before one."""
    found = told["merged"]
    if not found:
        return ""
    text = say(
        "adapters.merged.told",
        language,
        precision=found["precision"],
        difference=number(found["max_difference"], language),
        same=found["same_tokens"],
        tokens=found["tokens"],
    )
    link = link_to("merged.zip", told["id"], "adapters.merged.link", language)
    return said(text) + f'<p class="keep">{link}</p>'


def link_to(file: str, id: str, key: str, language: str) -> str:
    query = f"adapter={safe(id)}&amp;language={language}"
    return f'<a href="/shelf/{file}?{query}" download>{safe(say(key, language))}</a>'


def said(*lines: str) -> str:
    drawn = "".join(f'<p class="line">{safe(text)}</p>' for text in lines)
    return f'<div role="status">{drawn}</div>'


def waiting(event: dict[str, Any], language: str) -> str:
    """What is being done, while it is."""
    phase = event.get("phase", "waiting")
    if phase in ("fetching", "converting", "waiting", "loading"):
        return live.preparing(event, language)
    return f'<div role="status">{note(f"cli.phase.{phase}", language)}</div>'
