"""The widgets, made from the fields of Settings; and the page's address, made from their values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from lora_lab import words
from lora_lab.config import METHODS, Settings, from_json
from lora_lab.lora.targets import FAMILIES
from lora_lab.words import say

OTHER = "other"  # the model is named in the text field
UPLOAD = "upload"  # the data is the uploaded file
ADAPTER = ("rank", "alpha", "targets", "method", "prefix_tokens")
DRAWN = ADAPTER[:2]  # the drawing stands under these, and moves with them
COLUMNS = ("shape", "text_column", "prompt_column", "response_column", "messages_column")
PLACED = ("model", "data", *ADAPTER, *COLUMNS)
FIELDS = {field.name: field for field in dataclasses.fields(Settings)}
MORE = tuple(name for name in FIELDS if name not in PLACED)
# What a slider spans: the usual values, so that a pixel is about a rank. The page's address and
# the command line reach the whole range, and the slider then grows to it.
SLIDERS = {"rank": (1, 64), "alpha": (1, 128)}
STEPS = {float: 0.01, int: 1}  # what an arrow key adds
FINER = {"learning_rate": 0.0001}
# The settings that only some methods read; the page shows them with these alone.
OF_MATRICES = ("lora", "dora", "lora-prefix")
USED_BY = {
    **dict.fromkeys(
        ("rank", "alpha", "targets", "dropout", "scaling", "init", "rate_ratio"), OF_MATRICES
    ),
    "prefix_tokens": ("prefix", "lora-prefix"),
}


@dataclasses.dataclass
class Form:
    """The widgets by name, in the order in which their values travel."""

    widgets: dict[str, Any]

    @property
    def all(self) -> list[Any]:
        return list(self.widgets.values())

    @property
    def names(self) -> list[str]:
        return list(self.widgets)


def widget(name: str, language: str) -> Any:
    """The widget for one setting: a slider, a choice, a number or a line of text."""
    field = FIELDS[name]
    choices = field.metadata["choices"]
    text: dict[str, Any] = {
        "label": say(f"setting.{name}.label", language),
        "info": say(f"setting.{name}.help", language),
        "visible": used(name, Settings.method),
    }
    if name in SLIDERS:
        low, high = SLIDERS[name]
        return gr.Slider(low, high, value=field.default, step=1, buttons=[], **text)
    if name == "targets" or choices:
        named = named_choices(name, choices or FAMILIES, language)
        own = name == "targets"
        return gr.Dropdown(
            named, value=field.default, allow_custom_value=own, filterable=own, **text
        )
    if name.endswith("_column"):
        automatic = [(say("setting.shape.auto", language), "")]
        return gr.Dropdown(automatic, value="", filterable=False, **text)
    if isinstance(field.default, str):
        return gr.Textbox(field.default, max_lines=2, **text)
    step = FINER.get(name, STEPS[type(field.default)])
    return gr.Number(field.default, step=step, **text)


def used(name: str, method: str) -> bool:
    """Whether a method reads this setting."""
    return method in USED_BY.get(name, METHODS)


def named_choices(name: str, choices: Sequence[str], language: str) -> list[tuple[str, str]]:
    return [(say(f"setting.{name}.{choice}", language), choice) for choice in choices]


def settings(values: Mapping[str, Any]) -> Settings:
    """The Settings that the widgets' values mean. Raises LabError naming a wrong one."""
    told = {name: value for name, value in values.items() if name in FIELDS}
    if told.get("model") == OTHER:
        told["model"] = str(values.get("other") or "").strip()
    if told.get("data") == UPLOAD:
        told["data"] = ""
    told = {name: _emptied(name, value) for name, value in told.items()}
    return from_json(told)


def from_query(query: Mapping[str, str]) -> Settings:
    """The Settings that an address asks for; what it does not name has its default."""
    told = {name: value for name, value in query.items() if name in FIELDS}
    if told.get("data") == UPLOAD:
        del told["data"]
    return from_json(told)


def shown(wanted: Settings, models: Sequence[str], samples: Sequence[str]) -> dict[str, Any]:
    """What each widget shows for these settings: updates by widget name."""
    updates: dict[str, Any] = {
        name: gr.update(value=getattr(wanted, name)) for name in (*ADAPTER, *COLUMNS, *MORE)
    }
    for name, (low, high) in SLIDERS.items():
        value = getattr(wanted, name)
        updates[name] = gr.update(value=value, minimum=min(low, value), maximum=max(high, value))
    for name in USED_BY:
        updates[name]["visible"] = used(name, wanted.method)
    for name in COLUMNS[1:]:
        updates[name] = gr.update(value=getattr(wanted, name))
    listed = wanted.model in models
    updates["model"] = gr.update(value=wanted.model if listed else OTHER)
    updates["other"] = gr.update(value="" if listed else wanted.model, visible=not listed)
    if wanted.data in samples:
        updates["data"] = gr.update(value=wanted.data)
    else:
        updates["data"] = gr.update(value=samples[0]) if samples else gr.skip()
    return updates


def defaults() -> dict[str, Any]:
    """What stays out of the page's address, being what everybody starts with."""
    return {name: field.default for name, field in FIELDS.items()}


def written(name: str, value: Any, language: str) -> str:
    """A setting's value as a person reads it."""
    choices = FIELDS[name].metadata["choices"] or ()
    if name == "targets" and f"setting.targets.{value}" in words.table():
        return say(f"setting.targets.{value}", language)
    if value in choices:
        return say(f"setting.{name}.{value}", language)
    return value if isinstance(value, str) else words.number(value, language)


def _emptied(name: str, value: Any) -> Any:
    """An emptied text field sends None where it means no text."""
    return "" if value is None and isinstance(FIELDS[name].default, str) else value
