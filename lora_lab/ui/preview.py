"""What the model will see: the first examples as tokens, trained-on ones marked."""

from __future__ import annotations

from typing import Any

from lora_lab.ui.markup import note, safe
from lora_lab.words import say


def summary(check: dict[str, Any], language: str) -> str:
    """One line on a checked file. check: name, shape, rows, columns (role -> column)."""
    if check["shape"] == "stream":
        return note("preview.stream", language, name=check["name"])
    told = say(
        "preview.summary",
        language,
        name=check["name"],
        rows=check["rows"],
        shape=say(f"preview.shape.{check['shape']}", language),
    )
    if check.get("delimiter"):
        told += " " + say(f"data.delimiter.{check['delimiter']}", language)
    told += "".join(
        f" {say(f'preview.role.{role}', language)}: {say('where.column', language, value=column)}."
        for role, column in check["columns"].items()
    )
    return f'<p class="note">{safe(told)}</p>'


def preview(told: dict[str, Any], language: str) -> str:
    """told: what lab.preview tells (data/previewing.py)."""
    legend = (
        f'<p class="legend"><u>{safe(say("preview.learned", language))}</u> '
        f"<span>{safe(say('preview.read', language))}</span></p>"
    )
    examples = "".join(_example(example, language) for example in told["examples"])
    totals = say(
        "preview.totals",
        language,
        rows=told["rows"],
        tokens=told["tokens"],
        percent=round(100 * told["supervised_share"]),
        heldout=told["heldout_rows"],
    )
    lost = "".join(
        f" {safe(say(f'preview.{name}', language, rows=told[name]))}"
        for name in ("rows_cut", "left_out")
        if told[name]
    )
    return f'<div class="preview">{legend}{examples}<p class="note">{safe(totals)}{lost}</p></div>'


def _example(example: dict[str, Any], language: str) -> str:
    pieces = "".join(
        f"<u>{safe(text)}</u>" if supervised else f"<span>{safe(text)}</span>"
        for text, supervised in _joined(example["pieces"])
    )
    cut = f" · {safe(say('preview.cut_here', language))}" if example.get("cut") else ""
    count = safe(say("preview.tokens", language, tokens=example["tokens"]))
    return f'<p class="example" tabindex="0">{pieces}</p><p class="note">{count}{cut}</p>'


def _joined(pieces: list[Any]) -> list[tuple[str, bool]]:
    """Neighbours of the same kind as one: a mark a token would draw gaps inside words."""
    joined: list[tuple[str, bool]] = []
    for text, supervised in pieces:
        if joined and joined[-1][1] == supervised:
            joined[-1] = (joined[-1][0] + text, supervised)
        else:
            joined.append((text, supervised))
    return joined
