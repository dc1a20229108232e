"""JSON and JSONL: objects with every key once and nothing that is not JSON, or refused."""

from __future__ import annotations

import json
import re
import sys
from typing import Any, NoReturn

from lora_lab.data import decoding
from lora_lab.data.quoting import shown
from lora_lab.data.table import Table
from lora_lab.errors import LabError

LONGEST_NUMBER = sys.get_int_max_str_digits()
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
SPACE = re.compile(r"[ \t\r\n]*")


class _RefusedError(ValueError):
    """A fault in one value, before its row is known: a LabError's key and facts."""

    def __init__(self, key: str, column: str | None = None, **facts: Any):
        super().__init__(key)
        self.key, self.column, self.facts = key, column, facts


def read_jsonl(content: bytes, name: str) -> Table:
    """The table of a .jsonl: an object a line. Blank lines may only end the file."""
    text = decoding.text(content, name, decoding.line_of).rstrip()
    rows = []
    for number, line in enumerate(text.split("\n"), 1):  # splitlines would also cut at U+2028
        if not line.strip():
            raise LabError("blank_row", file=name, row=number)
        row, end = value(line, _after_space(line, 0), name, number, first_line=number)
        if line[end:].strip():
            raise _invalid(name, number, number, end + 1)
        rows.append(row)
    return _table(name, "jsonl", rows)


def read_json(content: bytes, name: str) -> Table:
    """The table of a .json: a list of objects, read one by one so that faults have rows."""
    text = decoding.text(content, name, decoding.line_of)
    at = _after_space(text, 0)
    if text[at] != "[":
        raise LabError("json_not_a_list", file=name, row=1)
    at = _after_space(text, at + 1)
    rows: list[Any] = []
    closed = text[at : at + 1] == "]"
    while not closed:
        row, at = value(text, at, name, len(rows) + 1)
        rows.append(row)
        at = _after_space(text, at)
        closed = text[at : at + 1] == "]"
        if not closed and text[at : at + 1] != ",":
            raise _invalid(name, len(rows), *_line_and_character(text, at))
        at = at if closed else _after_space(text, at + 1)
    rest = _after_space(text, at + 1)
    if rest < len(text):
        raise _invalid(name, len(rows), *_line_and_character(text, rest))
    return _table(name, "json", rows)


def value(
    text: str, at: int, name: str, row: int, column: str | None = None, first_line: int = 1
) -> tuple[Any, int]:
    """The JSON value that starts at text[at], and where it ends.

    Strict: no NaN or Infinity, no key twice, no half of a surrogate pair.
    """
    try:
        found, end = DECODER.raw_decode(text, at)
        if SURROGATE.search(text, at, end):
            _check_surrogates(found)
        return found, end
    except json.JSONDecodeError as fault:
        raise _invalid(name, row, first_line + fault.lineno - 1, fault.colno, column) from None
    except _RefusedError as fault:
        where = column or fault.column or _column_of_fault(text, at)
        raise LabError(fault.key, file=name, row=row, column=where, **fault.facts) from None
    except RecursionError:
        raise LabError("json_too_deep", file=name, row=row, column=column) from None
    except ValueError:  # Python refuses whole numbers of more than LONGEST_NUMBER digits
        where = column or _column_of_fault(text, at)
        raise LabError("json_number_too_long", file=name, row=row, column=where) from None


def _table(name: str, form: str, rows: list[Any]) -> Table:
    columns: dict[str, None] = {}
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise LabError("json_not_an_object", file=name, row=number)
        columns.update(dict.fromkeys(row))
    if not rows:
        raise LabError("no_rows", file=name)
    if any(not column.strip() for column in columns):
        number = next(i for i, row in enumerate(rows, 1) if any(not key.strip() for key in row))
        position = next(i for i, key in enumerate(rows[number - 1], 1) if not key.strip())
        raise LabError("empty_header", file=name, row=number, position=position)
    return Table(name, form, list(columns), rows, list(range(1, len(rows) + 1)))


def _after_space(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    return found.end() if found else at


def _line_and_character(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _invalid(name: str, row: int, line: int, character: int, column: str | None = None) -> LabError:
    return LabError(
        "json_invalid", file=name, row=row, column=column, line=line, character=character
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise _RefusedError("duplicate_column", column=shown(twice))
    return found


def _not_a_number(constant: str) -> NoReturn:
    raise _RefusedError("json_not_a_number", value=constant)


def _check_surrogates(found: Any) -> None:
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _RefusedError("broken_character") from None


def _column_of_fault(text: str, at: int) -> str | None:
    """The first key whose value was refused: found by reading once more and letting all pass."""
    try:
        row, _ = LENIENT.raw_decode(text, at)
    except (json.JSONDecodeError, RecursionError):
        return None
    for column, content in row.items() if isinstance(row, dict) else ():
        try:
            json.dumps(content, ensure_ascii=False).encode()
        except (TypeError, UnicodeEncodeError):
            return shown(column)
    return None


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_not_a_number)
# What the decoder above refuses becomes bytes, which JSON cannot hold.
LENIENT = json.JSONDecoder(
    parse_constant=str.encode,
    parse_int=lambda digits: digits.encode() if len(digits) > LONGEST_NUMBER else int(digits),
)
