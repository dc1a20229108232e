"""Reading: what was written reads back, whatever its format; anything else is a LabError."""

from __future__ import annotations

import csv
import io
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_lab.data import reading
from lora_lab.data.table import Table
from lora_lab.errors import LabError
from tests.faulty_files import parquet

NAMES = st.lists(
    st.text("abcdefñáé_ ", min_size=1, max_size=8).map(str.strip).filter(bool),
    min_size=1,
    max_size=4,
    unique=True,
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
FIELD = TEXT | st.text(',;\t"\n\r ñ')
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner))


@st.composite
def tables(draw, values=FIELD):
    names = draw(NAMES)
    row = st.fixed_dictionaries({name: values for name in names})
    return draw(st.lists(row, min_size=1, max_size=5))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("read")


def read(folder, name: str, content: bytes) -> Table:
    path = folder / "upload"
    path.write_bytes(content)
    return reading.read(path, name)


@given(rows=tables(), delimiter=st.sampled_from(",;\t"), mark=st.booleans())
def test_csv_reads_back_what_the_standard_library_wrote(folder, rows, delimiter, mark):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    if len(rows[0]) == 1 or delimiter == ",":
        delimiter = ","  # nothing in the header tells
    if delimiter == "\t":
        assert read(folder, "a.tsv", text.getvalue().encode()).rows == rows
    content = text.getvalue().encode("utf-8-sig" if mark else "utf-8")
    table = read(folder, "a.csv", content)
    assert table.rows == rows
    assert table.columns == list(rows[0])
    assert table.row_numbers == list(range(2, len(rows) + 2))
    assert table.delimiter == {",": "comma", ";": "semicolon", "\t": "tab"}[delimiter]


@given(rows=tables(JSON))
def test_json_reads_back(folder, rows):
    for ascii_only in (True, False):
        whole = json.dumps(rows, ensure_ascii=ascii_only, indent=2 if ascii_only else None)
        lines = [json.dumps(row, ensure_ascii=ascii_only) for row in rows]
        assert read(folder, "a.json", whole.encode()).rows == rows
        assert read(folder, "a.jsonl", "\r\n".join(lines).encode()).rows == rows


@given(rows=tables(TEXT))
def test_parquet_reads_back(folder, rows):
    table = read(folder, "a.parquet", parquet(pa.Table.from_pylist(rows)))
    assert (table.rows, table.columns) == (rows, list(rows[0]))
    assert table.row_numbers == list(range(1, len(rows) + 1))


@given(text=TEXT.filter(lambda text: text.strip("\ufeff \t\r\n")))
def test_txt_is_one_stream(folder, text):
    if text.startswith(("GIF8", "GGUF", "RIFF", "PAR1", "%PDF-", "<html", "{\\rtf", "\ufeff")):
        return
    table = read(folder, "a.txt", text.encode())
    assert table.stream
    assert table.rows == [{"text": text}]


@pytest.mark.parametrize("end", reading.FORMATS)
@given(
    content=st.binary()
    | st.text('{}[]":,;\\tu\n \0ñnul123eNaI', max_size=60).map(str.encode)
    | st.text('"abc,;\t\r\n', max_size=60).map(lambda text: b"text,b\n" + text.encode())
)
def test_any_bytes_give_a_table_or_a_lab_error(folder, end, content):
    try:
        table = read(folder, "a" + end, content)
    except LabError as error:
        assert error.where["file"] == "a" + end
    else:
        assert len(table.rows) == len(table.row_numbers) > 0


def test_semicolons_as_spreadsheets_in_spain_write_them(folder):
    table = read(folder, "a.csv", "pregunta;resposta\n1,5 é?;Si, é\n".encode())
    assert table.rows == [{"pregunta": "1,5 é?", "resposta": "Si, é"}]


def test_a_comma_inside_a_quoted_name_is_no_delimiter(folder):
    assert read(folder, "a.csv", b'"a, b";c\nd;e\n').columns == ["a, b", "c"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_ends_and_blank_lines_at_the_end(folder, end):
    content = end.join(["text", "a", "b", "", ""]).encode()
    assert read(folder, "a.csv", content).rows == [{"text": "a"}, {"text": "b"}]


def test_rows_count_as_a_spreadsheet_counts_them(folder):
    with pytest.raises(LabError) as refused:
        read(folder, "a.csv", b'text,b\n"one\ntwo\nthree",b\nshort\n')
    assert refused.value.where["row"] == 3


def test_the_place_of_a_wrong_byte_counts_quoted_lines_once(folder):
    with pytest.raises(LabError) as refused:
        read(folder, "a.csv", b'text,b\n"one\ntwo",b\nc,d\xe9\n')
    assert refused.value.where == {"file": "a.csv", "row": 3, "column": "b"}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_the_wrong_byte_is_told_with_or_without_a_byte_order_mark(folder, mark):
    with pytest.raises(LabError) as refused:
        read(folder, "a.csv", mark + b"text,b\nc,d\xe9\n")
    assert refused.value.where == {"file": "a.csv", "row": 2, "column": "b"}
    assert refused.value.facts["byte"] == "0xE9"


def test_the_column_of_a_stray_quote_is_found_behind_quoted_lines(folder):
    with pytest.raises(LabError) as refused:
        read(folder, "a.csv", b'text,b\n"one\ntwo\nthree",b\nc,"d"e\n')
    assert refused.value.where == {"file": "a.csv", "row": 3, "column": "b"}


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("cp1252", "Windows-1252"), ("cp850", "CP850"), ("mac_roman", "Mac Roman")],
)
def test_the_likely_encoding_is_named(folder, encoding, name):
    text = "texto\nOs nenos xogan na praia; mañá haberá máis contos, ¿quen virá?\n"
    with pytest.raises(LabError) as refused:
        read(folder, "a.csv", text.encode(encoding))
    assert refused.value.facts["encoding"] == name


def test_a_file_over_the_limit_is_not_even_opened(tmp_path):
    path = tmp_path / "big.csv"
    with path.open("wb") as file:
        file.truncate(reading.LIMIT_MB * 1_000_000 + 1)  # takes no room on the disk
    with pytest.raises(LabError) as refused:
        reading.read(path)
    assert refused.value.key == "file_too_big"


@pytest.mark.parametrize("name", ["missing.csv", "", "a\0b.csv", "x" * 300 + ".csv"])
def test_what_cannot_be_opened(tmp_path, name):
    with pytest.raises(LabError) as refused:
        reading.read(tmp_path / name)
    assert refused.value.key == "file_unreadable"


def test_a_hostile_name_is_shown_short_and_on_one_line(folder):
    (folder / "x").write_bytes(b"a,a\n")
    with pytest.raises(LabError) as refused:
        reading.read(folder / "x", "../../<b>\n\x1b[2J" + "y" * 500 + ".csv")
    shown = refused.value.where["file"]
    assert len(shown) <= 60
    assert shown.isprintable()
    assert "/" not in shown


def test_a_key_twice_with_half_a_character_can_still_be_told(folder):
    with pytest.raises(LabError) as refused:
        read(folder, "a.jsonl", rb'{"\ud800": 1, "\ud800": 2}')
    assert refused.value.key == "duplicate_column"
    refused.value.text().encode()
