"""Shaping: columns are recognised, remapped or asked for; examples keep their rows."""

from __future__ import annotations

import json

import pytest

from lora_lab.config import Settings
from lora_lab.data.dataset import Dataset
from lora_lab.data.shaping import shape
from lora_lab.data.table import Table
from lora_lab.errors import LabError

CHAT = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
]


def table(*rows: dict) -> Table:
    numbers = list(range(2, len(rows) + 2))
    return Table("a.csv", "csv", list(rows[0]), list(rows), numbers)


@pytest.mark.parametrize("column", ["text", "Story", "CONTENT", "Texto", "conto", "relato"])
def test_a_text_column_is_known_by_name(column):
    dataset = shape(table({"id": "1", column: "a"}, {"id": "2", column: "b"}), Settings())
    assert dataset.shape == "text"
    assert dataset.columns == {"text": column}
    assert dataset.examples == [{"text": "a", "row": 2}, {"text": "b", "row": 3}]


@pytest.mark.parametrize(
    ("prompt", "response"),
    [
        ("prompt", "response"),
        ("instruction", "output"),
        ("question", "answer"),
        ("input", "output"),
        ("Pregunta", "Respuesta"),
        ("instrución", "saída"),
    ],
)
def test_prompt_and_response_are_known_by_name(prompt, response):
    dataset = shape(table({response: "b", prompt: "a"}), Settings())
    assert dataset.examples == [{"prompt": "a", "response": "b", "row": 2}]


def test_an_input_beside_an_instruction_joins_it_where_it_is_not_empty():
    rows = [
        {"instruction": "Add", "input": "2 and 3", "output": "5"},
        {"instruction": "Greet", "input": "", "output": "Hi"},
    ]
    dataset = shape(table(*rows), Settings())
    assert [e["prompt"] for e in dataset.examples] == ["Add\n\n2 and 3", "Greet"]
    assert dataset.columns["context"] == "input"


def test_named_columns_win_and_take_no_context():
    row = {"instruction": "Add", "input": "2 and 3", "output": "5", "text": "all"}
    named = Settings(prompt_column="input", response_column="instruction")
    assert shape(table(row), named).examples[0]["prompt"] == "2 and 3"
    named = Settings(prompt_column="instruction", response_column="output")
    assert shape(table(row), named).examples[0]["prompt"] == "Add"
    assert shape(table(row), Settings(text_column="input")).shape == "text"
    assert shape(table(row), Settings(shape="text")).examples[0]["text"] == "all"


def test_columns_of_two_shapes_named_at_once_are_asked_about():
    row = {"a": "1", "b": "2", "c": "3"}
    named = Settings(text_column="a", prompt_column="b", response_column="c")
    with pytest.raises(LabError) as refused:
        shape(table(row), named)
    assert refused.value.key == "shape_unclear"


@pytest.mark.parametrize("told", [CHAT, json.dumps(CHAT), json.dumps(CHAT, indent=1)])
def test_a_chat_as_a_list_or_as_json_in_a_field(told):
    dataset = shape(table({"messages": told}), Settings())
    assert dataset.examples == [{"messages": CHAT, "row": 2}]


def test_a_null_beside_role_and_content_is_what_parquet_fills_in():
    chat = [{**message, "name": None} for message in CHAT]
    assert shape(table({"messages": chat}), Settings()).examples[0]["messages"] == CHAT


def test_line_ends_become_one_kind():
    assert shape(table({"text": "a\r\nb\rc\n"}), Settings()).examples[0]["text"] == "a\nb\nc\n"


def test_a_txt_is_no_table():
    stream = Table("a.txt", "txt", ["text"], [{"text": "a"}], [1], stream=True)
    assert shape(stream, Settings()).shape == "stream"
    with pytest.raises(LabError) as refused:
        shape(stream, Settings(shape="chat"))
    assert refused.value.key == "no_known_column"


def test_many_and_long_column_names_stay_readable():
    with pytest.raises(LabError) as refused:
        shape(table({f"{n}" + "x" * 1000: "" for n in range(1000)}), Settings())
    assert len(refused.value.text()) < 2000


def test_save_and_load(tmp_path):
    dataset = shape(table({"text": "ñ\u2028\n🦊"}, {"text": "b"}), Settings())
    dataset.save(tmp_path / "data")
    assert Dataset.load(tmp_path / "data") == dataset
    assert Dataset.load(tmp_path / "data").fingerprint == dataset.fingerprint


def test_the_fingerprint_is_of_the_content_not_of_the_rows():
    one = shape(table({"text": "a"}, {"text": "b"}), Settings())
    renamed = shape(table({"id": "9", "story": "a"}, {"id": "8", "story": "b"}), Settings())
    other = shape(table({"text": "b"}, {"text": "a"}), Settings())
    moved = one.of([{**example, "row": example["row"] + 7} for example in one.examples])
    assert one.fingerprint == renamed.fingerprint == moved.fingerprint != other.fingerprint


@pytest.mark.parametrize("file", ["dataset.json", "examples.jsonl"])
@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"text": "c", "row": 2}\n', b"\xff"])
def test_a_dataset_that_was_changed_is_not_loaded(tmp_path, file, content):
    shape(table({"text": "a"}), Settings()).save(tmp_path)
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(LabError) as refused:
        Dataset.load(tmp_path)
    assert refused.value.key == "dataset_damaged"
