"""A matrix in a file of numbers, or as a page sends it: rectangular and finite, or refused."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from lora_lab.data import decoding, signatures
from lora_lab.data.quoting import shown
from lora_lab.errors import LabError

MOST_SIDE = 1024  # rows or columns: decomposed within seconds
LARGEST = 1e9
_DECIMAL_COMMA = (";", "\t")  # a table that separates with these may write 0,5


def read(content: bytes, name: str) -> np.ndarray:
    """The matrix in a CSV: numbers alone, without a header, as many in each row."""
    signatures.check(content, Path(name).suffix.lower(), name)
    text = decoding.text(content, name, decoding.line_of)
    first = text.partition("\n")[0]
    delimiter = next((mark for mark in _DECIMAL_COMMA if mark in first), ",")
    rows: list[list[float]] = []
    try:
        for row, record in enumerate(csv.reader(io.StringIO(text), delimiter=delimiter), 1):
            if record:
                rows.append(_row(record, row, delimiter, name))
            _check_size(len(rows), len(record), name)
    except csv.Error:
        raise LabError("matrix_not_a_table", file=name) from None
    return _matrix(rows, name)


def of_cells(cells: Any) -> np.ndarray:
    """The matrix that a page's cells hold: a list of rows of numbers."""
    if not isinstance(cells, list) or not all(isinstance(row, list) for row in cells):
        raise LabError("matrix_not_a_table")
    _check_size(len(cells), max(map(len, cells), default=0), None)
    rows = [
        [_number(str(cell), row, column, ",", None) for column, cell in enumerate(line, 1)]
        for row, line in enumerate(cells, 1)
    ]
    return _matrix(rows, None)


def _row(record: list[str], row: int, delimiter: str, name: str) -> list[float]:
    return [_number(cell, row, column, delimiter, name) for column, cell in enumerate(record, 1)]


def _number(cell: str, row: int, column: int, delimiter: str, name: str | None) -> float:
    text = cell.strip().replace("−", "-")
    if delimiter in _DECIMAL_COMMA:
        text = text.replace(",", ".")
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not abs(number) <= LARGEST:  # nor a nan
        where: dict[str, Any] = {"file": name, "row": row, "column": str(column)}
        raise LabError("matrix_not_a_number", **where, value=shown(cell))
    return number


def _check_size(rows: int, columns: int, name: str | None) -> None:
    if max(rows, columns) > MOST_SIDE:
        raise LabError("matrix_too_large", file=name, most=MOST_SIDE)


def _matrix(rows: list[list[float]], name: str | None) -> np.ndarray:
    if not rows or not rows[0]:
        raise LabError("matrix_empty", file=name)
    for row, line in enumerate(rows, 1):
        if len(line) != len(rows[0]):
            raise LabError(
                "matrix_uneven", file=name, row=row, found=len(line), expected=len(rows[0])
            )
    return np.array(rows)
