"""What the settings will cost, told before anything is loaded: four figures in a row."""

from __future__ import annotations

from typing import Any

from lora_lab.config import Settings
from lora_lab.ui.markup import safe
from lora_lab.words import byte_size, duration, number, say


def facts(count: dict[str, Any], forecast: dict[str, Any], steps: int, language: str) -> str:
    """count: method, trainable, total, percent, adapter_bytes; forecast: memory_bytes, seconds."""
    whole = count.get("method") == "full"
    return _grid(
        [
            (
                say("facts.trainable", language),
                number(count["trainable"], language),
                say(
                    "facts.of_total",
                    language,
                    total=short(count["total"], language),
                    percent=count["percent"],
                ),
            ),
            (
                say("facts.model_file" if whole else "facts.file", language),
                byte_size(count["adapter_bytes"], language),
                say("facts.a_run", language),
            ),
            (
                say("facts.memory", language),
                byte_size(forecast["memory_bytes"], language),
                say("facts.forecast", language),
            ),
            (
                say("facts.time", language),
                duration(forecast["seconds"], language),
                say("facts.steps", language, steps=steps),
            ),
        ]
    )


def unknown(language: str) -> str:
    """The same row while the model's shapes have not been read yet."""
    keys = ("facts.trainable", "facts.file", "facts.memory", "facts.time")
    return _grid([(say(key, language), "…", "\u00a0") for key in keys])


def short(count: int, language: str) -> str:
    """A count of parameters as people say it: 1.27 M, 135 M, 7.2 G."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{number(count / size, language)}\u00a0{unit}"
    return number(count, language)


def differing(settings: list[Settings]) -> list[str]:
    """The names of the settings that are not the same in all of them."""
    return [
        name for name in vars(settings[0]) if len({getattr(each, name) for each in settings}) > 1
    ]


def _grid(cells: list[tuple[str, str, str]]) -> str:
    drawn = "".join(
        f"<div><dt>{safe(name)}</dt><dd><strong>{safe(value)}</strong>"
        f" <em>{safe(aside)}</em></dd></div>"
        for name, value, aside in cells
    )
    return f'<dl class="facts">{drawn}</dl>'
