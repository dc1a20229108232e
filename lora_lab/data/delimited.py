"""CSV and TSV: every record as long as the header, every quote closed, or refused."""

from __future__ import annotations

import bisect
import csv
import io
import itertools
from collections.abc import Iterator
from functools import partial

from lora_lab.data import decoding
from lora_lab.data.quoting import shown
from lora_lab.data.table import Table, check_columns
from lora_lab.errors import LabError

# Spreadsheets in Spain save "CSV" with semicolons, for the comma is their decimal sign.
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
LONGEST_HEADER = 1_000_000
FIELD_LIMIT = 1_000_000
csv.field_size_limit(FIELD_LIMIT)  # the module's own, 131,072, is shorter than a long story


def read_csv(content: bytes, name: str) -> Table:
    """The table of a .csv; its delimiter is the only one of DELIMITERS in its header."""
    first_line = _first_record(content)
    found = [delimiter for delimiter in DELIMITERS if delimiter in first_line]
    if len(found) > 1:
        raise LabError("delimiter_unclear", file=name, row=1, found=" ".join(map(repr, found)))
    return _read(content, name, "csv", found[0] if found else ",")


def read_tsv(content: bytes, name: str) -> Table:
    """The table of a .tsv: its delimiter is a tab."""
    return _read(content, name, "tsv", "\t")


def _read(content: bytes, name: str, form: str, delimiter: str) -> Table:
    text = decoding.text(content, name, partial(_place, delimiter=delimiter))
    records = _records(text, name, delimiter)
    columns = [column.strip() for column in next(records)]
    if not columns:
        raise LabError("blank_row", file=name, row=1)
    check_columns(columns, name, row=1)
    rows = [dict(zip(columns, record, strict=True)) for record in _even(records, columns, name)]
    if not rows:
        raise LabError("no_rows", file=name)
    numbers = list(range(2, len(rows) + 2))
    return Table(name, form, columns, rows, numbers, delimiter=DELIMITERS[delimiter])


def _first_record(content: bytes) -> str:
    """The header without its quoted names: what delimiters may stand in.

    Undecodable bytes are replaced here and refused by the reading that follows.
    """
    text = content[:LONGEST_HEADER].decode("utf-8-sig", errors="replace")
    outside, quoted = [], False
    for character in text:
        if character == '"':
            quoted = not quoted
        elif character in "\r\n" and not quoted:
            break
        elif not quoted:
            outside.append(character)
    return "".join(outside)


def _records(text: str, name: str, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    row, lines = 0, 0  # read without a fault
    while True:
        try:
            record = next(reader, None)
        except csv.Error as fault:
            rest = "".join(itertools.islice(io.StringIO(text, newline=""), lines, None))
            at = _fault_column(rest, delimiter)
            column = shown(header[at]) if at < len(header) else None
            key = _fault_key(str(fault))
            raise LabError(key, file=name, row=row + 1, column=column, limit=FIELD_LIMIT) from None
        if record is None:
            return
        row, lines, header = row + 1, reader.line_num, header or record
        yield record


def _fault_key(reason: str) -> str:
    if "unexpected end of data" in reason:
        return "unclosed_quote"
    return "field_too_long" if "field larger" in reason else "stray_quote"


def _fault_column(rest: str, delimiter: str) -> int:
    """The index of the field that a fault lies in; rest begins with its record.

    Found by the shortest beginning of rest that is at fault by more than ending too soon.
    """

    def at_fault(length: int) -> bool:
        part = io.StringIO(rest[:length], newline="")
        try:
            next(csv.reader(part, delimiter=delimiter, strict=True), None)
        except csv.Error as fault:
            return "unexpected end of data" not in str(fault)
        return False

    longest = min(len(rest), FIELD_LIMIT + LONGEST_HEADER)
    length = bisect.bisect_left(range(longest), True, key=at_fault)
    sound = io.StringIO(rest[: length - 1], newline="")
    return len(next(csv.reader(sound, delimiter=delimiter), [""])) - 1


def _even(records: Iterator[list[str]], columns: list[str], name: str) -> Iterator[list[str]]:
    """The records, each as long as the header; blank lines may only end the file."""
    blank = 0
    for row, record in enumerate(records, 2):
        if not record:
            blank = blank or row
            continue
        if blank:
            raise LabError("blank_row", file=name, row=blank)
        if len(record) != len(columns):
            raise _ragged(record, columns, name, row)
        yield record


def _ragged(record: list[str], columns: list[str], name: str, row: int) -> LabError:
    short = len(record) < len(columns)
    column = columns[len(record)] if short else columns[-1]
    return LabError(
        "row_too_short" if short else "row_too_long",
        file=name,
        row=row,
        column=shown(column),
        found=len(record),
        expected=len(columns),
    )


def _place(before: str, delimiter: str) -> dict:
    """The row and column of the character that follows before."""
    # strict=False reads a quote left open, as it is here
    try:
        records = list(csv.reader(io.StringIO(before + "x", newline=""), delimiter=delimiter))
    except csv.Error:
        return decoding.line_of(before)
    at = len(records[-1]) - 1
    header = records[0]
    inside = len(records) > 1 and at < len(header)
    return {"row": len(records)} | ({"column": shown(header[at])} if inside else {})
