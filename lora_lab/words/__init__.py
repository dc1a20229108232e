"""Every sentence a person reads, in every language, from one table.

The table is the TOML files beside this one. A key is a dotted path and holds one text a language:

    [train.button]
    en = "Train"
    es = "Entrenar"
    gl = "Adestrar"

Texts mention facts as {name}; whole numbers and decimals are written the language's way. A fact
{"say": key} stands for another text of the table, {"bytes": 82000} for a size with its unit.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = {"en": "English", "es": "Español", "gl": "Galego"}
DEFAULT = "en"


@cache
def table() -> dict[str, dict[str, str]]:
    """Key -> language -> text, read once from every file beside this one."""
    texts: dict[str, dict[str, str]] = {}
    for file in sorted(Path(__file__).parent.glob("*.toml")):
        for key, entry in _entries(tomllib.loads(file.read_text("utf-8")), ""):
            if key in texts:
                raise ValueError(f"{file.name}: the key {key} stands twice")
            texts[key] = entry
    return texts


def say(key: str, language: str = DEFAULT, **facts: Any) -> str:
    """The text for key in language, its {facts} filled in."""
    written = {name: _written(value, language) for name, value in facts.items()}
    return table()[key][language].format_map(written)


def number(value: float, language: str = DEFAULT, decimals: int | None = None) -> str:
    """A number the language's way: 1,234.5 in English, 1 234,5 (thin space) in Spanish, Galician.

    decimals: how many to show; None shows a whole number whole and else three significant digits.
    """
    if decimals is None:
        text = f"{value:,}" if isinstance(value, int) else f"{value:,.3g}"
    else:
        text = f"{value:,.{decimals}f}"
    if language == "en":
        return text
    return text.translate(str.maketrans(",.", "\u202f,"))


def byte_size(size: float, language: str = DEFAULT) -> str:
    """A size in bytes with its unit: 82 kB, 1.3 GB (powers of 1000)."""
    for unit in ("B", "kB", "MB"):
        if size < 999.5:
            return f"{number(size, language, 0 if size >= 10 or unit == 'B' else 1)}\u00a0{unit}"
        size /= 1000
    return f"{number(size, language, 2 if size < 10 else 0)}\u00a0GB"


def duration(seconds: float, language: str = DEFAULT) -> str:
    """A length of time with its unit: 8 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{number(seconds, language, 1 if seconds < 10 else 0)}\u00a0s"
    if whole < 3600:
        return f"{whole // 60}\u00a0min {whole % 60}\u00a0s"
    return f"{whole // 3600}\u00a0h {whole % 3600 // 60}\u00a0min"


def sound(text: str) -> str:
    """text as it can be written and sent: JSON can hold half a character, and UTF-8 cannot."""
    return text.encode(errors="replace").decode()


def best_language(accept_language: str) -> str:
    """The language of ours that a browser's Accept-Language header wants most."""
    wishes = []
    for place, part in enumerate(accept_language.split(",")):
        tag, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality or 1)
        except ValueError:
            weight = 0.0
        wishes.append((-weight, place, tag.split("-")[0].lower()))
    for _, _, tag in sorted(wishes):
        if tag in LANGUAGES:
            return tag
    return DEFAULT


def _entries(tree: dict[str, Any], path: str):
    if tree and all(isinstance(value, str) for value in tree.values()):
        yield path, tree
        return
    for name, branch in tree.items():
        yield from _entries(branch, f"{path}.{name}" if path else name)


def _written(value: Any, language: str) -> Any:
    if isinstance(value, dict):
        try:
            sized = "bytes" in value
            return byte_size(value["bytes"], language) if sized else say(value["say"], language)
        except (KeyError, TypeError):
            return sound(str(value)[:60])  # what a program sent, in the place of a name
    if isinstance(value, str):
        return sound(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return number(value, language)
