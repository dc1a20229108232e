"""Every sentence exists in every language, is translated, and mentions the same facts."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from lora_lab import words

ROOT = Path(__file__).parents[2]

# Texts that are rightly the same in English and another language: names, units, signs.
SAME = re.compile(
    r"where\.file|setting\.(dropout|alpha)\.label|setting\.precision\.(float32|bfloat16)"
    r"|setting\.method\.lora|setting\.scaling\.(plain|rank-stabilised)"
    r"|run\.title|run\.short\.(lora|dora|lora-prefix)"
)


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def faults(key: str, entry: dict[str, str]) -> Iterator[str]:
    if set(entry) != set(words.LANGUAGES):
        yield f"{key} lacks a language"
    english = entry[words.DEFAULT]
    for language, text in entry.items():
        if not text.strip() or fields(text) != fields(english):
            yield f"{key} in {language} is empty or tells other facts"
        elif language != words.DEFAULT and text == english and not SAME.fullmatch(key):
            yield f"{key} in {language} is still English"


def test_every_text_is_whole():
    assert len(words.table()) > 500
    told = [fault for key, entry in words.table().items() for fault in faults(key, entry)]
    assert told == []


@pytest.mark.parametrize(
    "entry",
    [
        {"en": "{count} rows", "es": "{count} filas"},
        {"en": "{count} rows", "es": "{count} filas", "gl": " "},
        {"en": "{count} rows", "es": "{count} filas", "gl": "{n} filas"},
        {"en": "{count} rows", "es": "{count} rows", "gl": "{count} filas"},
    ],
)
def test_a_text_that_is_not_whole_would_be_found(entry):
    assert len(list(faults("a.key", entry))) == 1


def keys_in_code() -> set[tuple[str, str]]:
    """Every first argument of LabError and say that is written out in the code, with its file."""
    found = set()
    for file in [*(ROOT / "lora_lab").rglob("*.py"), ROOT / "app.py"]:
        for call in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(call, ast.Call) and call.args):
                continue
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            key = call.args[0]
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                if name == "LabError":
                    found.add((f"error.{key.value}.problem", file.name))
                    found.add((f"error.{key.value}.remedy", file.name))
                elif name == "say":
                    found.add((key.value, file.name))
    return found


def test_no_key_in_the_code_is_missing():
    missing = [(key, file) for key, file in sorted(keys_in_code()) if key not in words.table()]
    assert not missing


@pytest.mark.parametrize(
    ("value", "language", "expected"),
    [
        (1234567, "en", "1,234,567"),
        (1234567, "es", "1\u202f234\u202f567"),
        (0.5, "gl", "0,5"),
        (2, "en", "2"),
    ],
)
def test_numbers_are_written_the_languages_way(value, language, expected):
    assert words.number(value, language) == expected


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("gl,es;q=0.9,en;q=0.8", "gl"),
        ("fr-FR,es-ES;q=0.5,en;q=0.4", "es"),
        ("en-GB", "en"),
        ("de", "en"),
        ("", "en"),
        ("es;q=nonsense,gl", "gl"),
    ],
)
def test_the_browsers_language_decides(header, language):
    assert words.best_language(header) == language


def test_a_text_in_a_fact_is_translated():
    told = words.say(
        "error.setting_not_a_choice.problem", "gl", name={"say": "setting.rank.label"}, value="x"
    )
    assert told.startswith("Rango ")


def test_a_fact_is_told_whatever_a_program_sent_in_its_place():
    known = words.say("error.no_such_run.problem", "gl", run={"bytes": 1_500_000})
    assert "1,5\u00a0MB" in known
    for fact in (
        {"a": 1},
        {"say": "no.such.key"},
        {"say": []},
        {"bytes": "x"},
        {"say": "run.title"},
    ):
        assert str(fact)[:20] in words.say("error.no_such_run.problem", "en", run=fact)
