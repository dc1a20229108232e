"""A table's rows made into examples; a missing, empty or mistyped field refuses the whole file."""

from __future__ import annotations

from typing import Any

from lora_lab.config import Settings
from lora_lab.data import columns, messages
from lora_lab.data.dataset import Dataset, Example, newlines
from lora_lab.data.quoting import shown
from lora_lab.data.table import Table
from lora_lab.errors import LabError


def shape(table: Table, settings: Settings) -> Dataset:
    """The table's examples, by the settings' shape and columns or by what is recognised.

    A .txt is a stream. Raises LabError where columns are unknown or unclear, and for the first
    row with a fault.
    """
    if table.stream and settings.shape in ("auto", "text"):
        text = {"text": newlines(table.rows[0]["text"]), "row": 1}
        return Dataset(table.name, "stream", {"text": "text"}, [text])
    roles = columns.find(table, settings)
    make = {"text": _text, "prompt": _prompt, "chat": _chat}[roles.shape]
    examples = [
        make(table, row, number, roles.columns) | {"row": number}
        for row, number in zip(table.rows, table.row_numbers, strict=True)
    ]
    return Dataset(table.name, roles.shape, roles.columns, examples)


def _text(table: Table, row: dict, number: int, roles: dict[str, str]) -> Example:
    return {"text": _field(table, row, number, roles["text"])}


def _prompt(table: Table, row: dict, number: int, roles: dict[str, str]) -> Example:
    prompt = _field(table, row, number, roles["prompt"])
    if "context" in roles and row.get(roles["context"]) not in (None, ""):
        # as in Alpaca's rows, where the input follows the instruction and may be empty
        prompt += "\n\n" + _field(table, row, number, roles["context"])
    return {"prompt": prompt, "response": _field(table, row, number, roles["response"])}


def _chat(table: Table, row: dict, number: int, roles: dict[str, str]) -> Example:
    column = roles["messages"]
    told = _value(table, row, number, column)
    return {"messages": messages.check(told, table.name, number, column)}


def _field(table: Table, row: dict, number: int, column: str) -> str:
    value = _value(table, row, number, column)
    if not isinstance(value, str):
        raise LabError("wrong_type", file=table.name, row=number, column=column, value=shown(value))
    if not value.strip():
        raise LabError("empty_field", file=table.name, row=number, column=column)
    return newlines(value)


def _value(table: Table, row: dict, number: int, column: str) -> Any:
    value = row.get(column)
    if value is None:
        raise LabError("missing_field", file=table.name, row=number, column=column)
    return value
