"""What goes wrong comes back as a card; a traceback never does."""

from __future__ import annotations

import gradio as gr

from lora_lab.errors import LabError
from lora_lab.ui.calm import calmly

HOSTILE = "<img src=x onerror=alert(1)>"


def fails_as_foreseen():
    raise LabError("no_such_run", file=HOSTILE, run=HOSTILE)


def fails_unforeseen():
    raise ZeroDivisionError(HOSTILE)


def test_success_clears_the_card():
    assert calmly("en", 2)(lambda a: [a, a])("x") == ["x", "x", ""]


def test_nothing_new_leaves_the_card():
    values = calmly("en", 2)(lambda: [gr.skip(), gr.skip()])()
    assert values == [gr.skip()] * 3


def test_a_foreseen_error_is_told_escaped_and_changes_nothing_else():
    first, second, card = calmly("gl", 2)(fails_as_foreseen)()
    assert first == second == gr.skip()
    assert 'role="alert"' in card and "<img" not in card and "&lt;img" in card


def test_an_unforeseen_error_names_its_kind_and_no_more(caplog):
    *_, card = calmly("en", 1)(fails_unforeseen)()
    assert "ZeroDivisionError" in card and "Traceback" not in card and "onerror" not in card
    assert "ZeroDivisionError" in caplog.text and "test_calm.py" in caplog.text


def test_a_generator_fails_as_calmly_after_its_first_values():
    def streams():
        yield ["one"]
        raise LabError("no_such_run", run="r")

    values = list(calmly("en", 1)(streams)())
    assert values[0] == ["one", ""]
    assert values[1][0] == gr.skip() and "alert" in values[1][1]
