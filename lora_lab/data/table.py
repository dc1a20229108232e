"""A file as it was read: columns and rows, each row with the number a person would give it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lora_lab.data.quoting import shown
from lora_lab.errors import LabError


@dataclass(frozen=True)
class Table:
    """A whole, checked file.

    rows hold what the file holds: strings in CSV and TSV; any JSON or Parquet value elsewhere,
    and a key may be missing there. row_numbers count as a person does: in CSV and TSV as a
    spreadsheet numbers its rows (the header is row 1), in JSONL by lines, in JSON and Parquet by
    items from 1. A .txt is the one column "text" with one row, and stream is true.
    delimiter: comma, semicolon or tab, in CSV and TSV.
    """

    name: str
    format: str
    columns: list[str]
    rows: list[dict[str, Any]]
    row_numbers: list[int]
    stream: bool = False
    delimiter: str | None = None


def check_columns(columns: list[str], name: str, row: int | None = None) -> None:
    """Raises LabError for a column without a name, or with another's. row: where names stand."""
    for place, column in enumerate(columns, 1):
        if not column.strip():
            raise LabError("empty_header", file=name, row=row, position=place)
        if column in columns[: place - 1]:
            raise LabError("duplicate_column", file=name, row=row, column=shown(column))
