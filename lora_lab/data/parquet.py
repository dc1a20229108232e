"""Parquet: whatever its columns hold, as Python values; a damaged file is refused."""

from __future__ import annotations

from typing import Any

from lora_lab.data.quoting import shown
from lora_lab.data.table import Table, check_columns
from lora_lab.errors import LabError

UNPACKED_LIMIT_MB = 1000  # a small file may unpack to a huge one


def read(content: bytes, name: str) -> Table:
    """The table of a .parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        _check_size(file.metadata, name)
        table = file.read()
        columns = table.column_names
    except (pa.ArrowException, OSError, ValueError, NotImplementedError):
        raise LabError("parquet_unreadable", file=name) from None
    check_columns(columns, name)
    if not table.num_rows or not columns:
        raise LabError("no_rows", file=name)
    values = [_values(table.column(i), name, column) for i, column in enumerate(columns)]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]
    return Table(name, "parquet", columns, rows, list(range(1, len(rows) + 1)))


def _check_size(metadata: Any, name: str) -> None:
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    if sum(group.total_byte_size for group in groups) > UNPACKED_LIMIT_MB * 1_000_000:
        raise LabError("file_too_big", file=name, limit=UNPACKED_LIMIT_MB)


def _values(column: Any, name: str, title: str) -> list[Any]:
    try:
        return column.to_pylist()
    except (UnicodeDecodeError, ValueError, OverflowError):
        rows = (i for i, cell in enumerate(column, 1) if not _readable(cell))
        raise LabError(
            "parquet_value_unreadable", file=name, row=next(rows, None), column=shown(title)
        ) from None


def _readable(cell: Any) -> bool:
    try:
        cell.as_py()
    except (UnicodeDecodeError, ValueError, OverflowError):
        return False
    return True
