"""A malformed file for every fault in every format that can have it, made by code.

Each is what a person might really upload: a spreadsheet renamed, an export in another encoding, a
row cut short. The page's and the command line's tests feed on the same list.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

GOOD = [{"prompt": "What is LoRA?", "response": "A small matrix learns."}] * 3
USER = {"role": "user", "content": "Ola"}
ASSISTANT = {"role": "assistant", "content": "Boas"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"


@dataclass(frozen=True)
class Faulty:
    """A file that must be refused with the error key, at row and column (None: not of a row)."""

    name: str
    content: bytes
    key: str
    row: int | None = None
    column: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)


def faulty_files() -> Iterator[Faulty]:
    """All of them; names are unique."""
    for part in (_of_any_format, _tables, _json_texts, _rows_of_any_format, _chats, _parquets):
        yield from part()


# Any file


def _of_any_format() -> Iterator[Faulty]:
    for end in ("csv", "tsv", "json", "jsonl", "txt", "parquet"):
        yield Faulty(f"empty.{end}", b"", "file_empty")
        yield Faulty(f"blank.{end}", b"\xef\xbb\xbf \r\n\n", "file_empty")
        yield Faulty(f"zip.{end}", _zip("notes.txt"), "is_archive")
        yield Faulty(f"gzip.{end}", gzip.compress(b"text\nhello\n"), "is_archive")
        yield Faulty(f"excel.{end}", _zip("xl/workbook.xml"), "is_spreadsheet")
        yield Faulty(f"png.{end}", PNG, "is_binary")
        yield Faulty(f"pdf.{end}", PDF, "is_binary")
        yield Faulty(f"sqlite.{end}", _sqlite(), "is_binary")
        yield Faulty(f"web.{end}", b"<!DOCTYPE html>\n<html></html>", "is_web_page")
        if end != "parquet":
            yield Faulty(f"parquet-as.{end}", parquet(pa.Table.from_pylist(GOOD)), "is_parquet")
            yield from _encodings(end)
    yield Faulty("table.xlsx", _zip("xl/workbook.xml"), "is_spreadsheet")
    yield Faulty("table.xls", b"\xd0\xcf\x11\xe0" + bytes(40), "is_spreadsheet")
    yield Faulty("page.docx", _zip("word/document.xml"), "is_archive")
    yield Faulty("notes.md", b"# Notes\n", "unknown_extension")
    yield Faulty("no_extension", b"text\nhello\n", "unknown_extension")


def _encodings(end: str) -> Iterator[Faulty]:
    column = "text" if end in ("csv", "tsv") else None
    text = WRITTEN[end]([{"text": "Hello"}, {"text": "Mañá é festa"}])
    row = NUMBER[end](2)
    if end == "json":
        text, row = text.replace("}, {", "},\n{"), 2
    yield Faulty(f"latin.{end}", text.encode("cp1252"), "not_utf8", row, column)
    yield Faulty(f"utf16.{end}", text.encode("utf-16"), "is_utf16", 1)
    yield Faulty(f"utf16-no-mark.{end}", text.encode("utf-16-le"), "nul_byte", 1)
    nul = text.replace("ñ", "\0").encode()
    yield Faulty(f"nul.{end}", nul, "nul_byte", row, column)


# CSV and TSV


def _tables() -> Iterator[Faulty]:
    for end, cut in (("csv", ","), ("tsv", "\t"), ("semicolons.csv", ";")):

        def fault(name: str, text: str, key: str, row: int, column: str | None, end=end, cut=cut):
            return Faulty(f"{name}.{end}", text.replace("|", cut).encode(), key, row, column)

        good = "prompt|response\na|b\n"
        yield fault("short", good + "c\n", "row_too_short", 3, "response")
        yield fault("long", good + "c|d|e\n", "row_too_long", 3, "response")
        yield fault("long-and-last", good + "c|d|\n", "row_too_long", 3, "response")
        yield fault("blank-row", good + "\nc|d\n", "blank_row", 3, None)
        yield fault("blank-first", "\n" + good, "blank_row", 1, None)
        yield fault("unclosed", good + 'c|"d\ne|f\n', "unclosed_quote", 3, "response")
        yield fault("unclosed-later", good + '"c\nc"|"d\ne|f\n', "unclosed_quote", 3, "response")
        yield fault("stray", good + 'c|d\n"c" e|d\n', "stray_quote", 4, "prompt")
        yield fault("twice", "prompt|response|prompt\na|b|c\n", "duplicate_column", 1, "prompt")
        yield fault(
            "twice-with-space", "prompt|response| prompt\n", "duplicate_column", 1, "prompt"
        )
        yield fault("no-name", "prompt||response\na|b|c\n", "empty_header", 1, None)
        yield fault("only-header", "prompt|response\n", "no_rows", None, None)
    two = b"prompt,one;response\na,b;c\n"
    yield Faulty("two-delimiters.csv", two, "delimiter_unclear", 1)
    long = b"prompt,response\na,b\nc," + b"d" * 1_000_001
    yield Faulty("long-field.csv", long, "field_too_long", 3, "response")


# JSON and JSONL


def _json_texts() -> Iterator[Faulty]:
    for name, item, key, column in (
        ("cut", '{"text": "a', "json_invalid", None),
        ("unquoted", '{"text": a}', "json_invalid", None),
        ("single-quotes", "{'text': 'a'}", "json_invalid", None),
        ("control", '{"text": "a\tb"}', "json_invalid", None),
        ("nan", '{"id": 1, "text": NaN}', "json_not_a_number", "text"),
        ("infinity", '{"text": "a", "id": -Infinity}', "json_not_a_number", "id"),
        ("huge", '{"text": "a", "id": ' + "9" * 5000 + "}", "json_number_too_long", "id"),
        ("twice", '{"text": "a", "text": "b"}', "duplicate_column", "text"),
        ("half-character", r'{"text": "\ud83e"}', "broken_character", "text"),
        ("deep", '{"text": ' + "[" * 100_000, "json_too_deep", None),
        ("a-list", '["a"]', "json_not_an_object", None),
        ("a-string", '"a"', "json_not_an_object", None),
        ("a-number", "7", "json_not_an_object", None),
        ("no-name", '{"text": "a", "": "b"}', "empty_header", None),
    ):
        good = '{"text": "hello"}'
        yield Faulty(f"{name}.jsonl", f"{good}\n{item}\n".encode(), key, 2, column)
        yield Faulty(f"{name}.json", f"[{good},\n{item}]".encode(), key, 2, column)
    yield Faulty("blank-row.jsonl", b'{"text": "a"}\n\n{"text": "b"}\n', "blank_row", 2)
    yield Faulty("two-a-line.jsonl", b'{"text": "a"} {"text": "b"}\n', "json_invalid", 1)
    yield Faulty("no-list.json", b'{"data": [{"text": "a"}]}', "json_not_a_list", 1)
    yield Faulty("lines.json", b'{"text": "a"}\n{"text": "b"}\n', "json_not_a_list", 1)
    yield Faulty("no-items.json", b"[]", "no_rows")
    yield Faulty("no-comma.json", b'[{"text": "a"} {"text": "b"}]', "json_invalid", 1)
    yield Faulty("last-comma.json", b'[{"text": "a"},]', "json_invalid", 2)
    yield Faulty("not-closed.json", b'[{"text": "a"}', "json_invalid", 1)
    yield Faulty("goes-on.json", b'[{"text": "a"}] []', "json_invalid", 1)


# Rows, in whatever format


def _rows_of_any_format() -> Iterator[Faulty]:
    for end in ("csv", "tsv", "json", "jsonl", "parquet"):
        number = NUMBER[end]
        yield written(end, "unknown", [{"a": "x", "b": "y"}] * 3, "no_known_column")
        yield written(end, "half", [{"prompt": "x", "b": "y"}] * 3, "no_known_column")
        absent = {"text_column": "story"}
        yield written(end, "absent", GOOD, "column_absent", None, "story", absent)
        two = [{"prompt": "a", "question": "b", "answer": "c"}] * 3
        yield written(end, "two-prompts", two, "columns_unclear")
        contexts = [{"prompt": "a", "input": "b", "context": "b", "answer": "c"}] * 3
        yield written(end, "two-contexts", contexts, "columns_unclear")
        shapes = [{"text": "a", "prompt": "b", "response": "c"}] * 3
        yield written(end, "two-shapes", shapes, "shape_unclear")
        for column in ("prompt", "response"):
            for name, value in (("empty", ""), ("spaces", "  ")):
                rows = [*GOOD, {**GOOD[0], column: value}]
                key, row = "empty_field", number(4)
                yield written(end, f"{name}-{column}", rows, key, row, column)
        texts = [{"text": "a"}, {"text": " "}, {"text": "c"}]
        yield written(end, "empty-text", texts, "empty_field", number(2), "text")
        yield written(end, "one-row", GOOD[:1], "too_short_to_split")
        if end in ("csv", "tsv"):
            continue
        rows = [*GOOD, {"prompt": None, "response": "b"}]
        yield written(end, "null", rows, "missing_field", number(4), "prompt")
        for name, value in (("number", 7), ("list", ["a"]), ("object", {"a": "b"}), ("yes", True)):
            wrong = [{"text": value}] * 3
            yield written(end, name, wrong, "wrong_type", number(1), "text")
    for end in ("json", "jsonl"):
        missing = [*GOOD, {"prompt": "a"}]
        yield written(end, "missing", missing, "missing_field", 4, "response")
    yield Faulty("short.txt", "Había unha vez.".encode(), "stream_too_short_to_split")


# Chats


def _chats() -> Iterator[Faulty]:
    good = [USER, ASSISTANT]
    for name, chat, key in CHATS:
        for end in ("csv", "tsv", "json", "jsonl"):
            chats = [json.dumps(c) if end in ("csv", "tsv") else c for c in (good, chat)]
            rows = [{"messages": told} for told in chats]
            yield written(end, f"chat-{name}", rows, key, NUMBER[end](2), "messages")
        alone = [{"messages": chat}] * 2  # for a column has one type in Parquet
        yield written("parquet", f"chat-{name}", alone, key, 1, "messages")
    for end in ("csv", "tsv"):
        rows = [{"messages": "hello"}]
        yield written(end, "chat-plain", rows, "json_invalid", 2, "messages")
        rows = [{"messages": "[] []"}]
        yield written(end, "chat-goes-on", rows, "json_invalid", 2, "messages")
        rows = [{"messages": '[{"role": "user", "role": "user"}]'}]
        yield written(end, "chat-twice", rows, "duplicate_column", 2, "messages")


CHATS: list[tuple[str, Any, str]] = [
    ("role", [USER, {"role": "bot", "content": "b"}], "chat_role"),
    ("role-case", [{"role": "User", "content": "a"}, ASSISTANT], "chat_role"),
    ("tool", [USER, {"role": "tool", "content": "b"}, ASSISTANT], "chat_role"),
    ("role-type", [{"role": 1, "content": "a"}], "chat_role"),
    ("no-assistant", [USER], "chat_no_assistant"),
    ("no-messages", [], "chat_empty"),
    ("assistant-first", [ASSISTANT, USER, ASSISTANT], "chat_wrong_order"),
    ("two-users", [USER, USER, ASSISTANT], "chat_wrong_order"),
    ("late-system", [USER, {"role": "system", "content": "s"}, ASSISTANT], "chat_wrong_order"),
    ("unanswered", [USER, ASSISTANT, USER], "chat_unanswered"),
    ("empty-content", [USER, {"role": "assistant", "content": " "}], "chat_content_empty"),
    ("null-content", [USER, {"role": "assistant", "content": None}], "chat_content_type"),
    ("list-content", [{"role": "user", "content": ["a"]}], "chat_content_type"),
    ("from-value", [{"from": "human", "value": "a"}], "chat_message_keys"),
    ("strings", ["a", "b"], "chat_message_keys"),
    ("extra", [{**USER, "weight": 1}, ASSISTANT], "chat_extra_key"),
    ("not-a-list", {"role": "user", "content": "a"}, "chat_not_a_list"),
    ("number", 7, "chat_not_a_list"),
]


# Parquet


def _parquets() -> Iterator[Faulty]:
    whole = parquet(pa.Table.from_pylist(GOOD))
    yield Faulty("cut.parquet", whole[:-20], "parquet_unreadable")
    yield Faulty("text.parquet", b"text\nhello\n", "parquet_unreadable")
    yield Faulty("middle.parquet", whole[:40] + whole[80:], "parquet_unreadable")
    yield Faulty(
        "no-rows.parquet", parquet(pa.table({"text": pa.array([], pa.string())})), "no_rows"
    )
    twice = pa.Table.from_arrays([pa.array(["a"])] * 2, names=["text", "text"])
    yield Faulty("twice.parquet", parquet(twice), "duplicate_column", None, "text")
    unnamed = pa.table({"text": ["a"], "": ["b"]})
    yield Faulty("no-name.parquet", parquet(unnamed), "empty_header", None)
    windows = pa.array([b"a", "mañá".encode("cp1252")])
    latin = pa.StringArray.from_buffers(2, *windows.buffers()[1:])  # said to be UTF-8, unchecked
    content = parquet(pa.table({"text": latin}))
    yield Faulty("latin.parquet", content, "parquet_value_unreadable", 2, "text")
    binary = pa.table({"text": [b"\x00\x01", b"b"]})
    yield Faulty("bytes.parquet", parquet(binary), "wrong_type", 1, "text")


# How to write them


def written(
    end: str,
    name: str,
    rows: list[dict],
    key: str,
    row: int | None = None,
    column: str | None = None,
    settings: dict | None = None,
) -> Faulty:
    """The rows as a file of the format that end names."""
    if end == "parquet":
        content = parquet(pa.Table.from_pylist(rows))
    else:
        content = WRITTEN[end](rows).encode()
    return Faulty(f"{name}.{end}", content, key, row, column, settings or {})


def table_text(rows: list[dict], delimiter: str) -> str:
    """CSV as the standard library writes it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def parquet(table: pa.Table) -> bytes:
    """The table as a file's bytes."""
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


WRITTEN: dict[str, Callable[[list[dict]], str]] = {
    "csv": lambda rows: table_text(rows, ","),
    "tsv": lambda rows: table_text(rows, "\t"),
    "json": lambda rows: json.dumps(rows, ensure_ascii=False),
    "jsonl": lambda rows: "\n".join(json.dumps(row, ensure_ascii=False) for row in rows),
    "txt": lambda rows: "\n".join(row["text"] for row in rows),
}
# The number a person gives the n-th row: a header is row 1.
NUMBER: dict[str, Callable[[int], int]] = {
    "csv": lambda n: n + 1,
    "tsv": lambda n: n + 1,
    "json": lambda n: n,
    "jsonl": lambda n: n,
    "txt": lambda n: n,
    "parquet": lambda n: n,
}


def _zip(entry: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(entry, "x" * 100)
    return packed.getvalue()


def _sqlite() -> bytes:
    base = sqlite3.connect(":memory:")
    base.execute("create table t (a)")
    return base.serialize()
