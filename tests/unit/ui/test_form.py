"""Widgets from settings, settings from widgets, and a link that reproduces a form."""

from __future__ import annotations

import dataclasses

import gradio as gr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_lab.config import Settings
from lora_lab.ui import form
from lora_lab.words import LANGUAGES
from tests.expecting import lab_error


def test_every_setting_has_its_place():
    assert set(form.PLACED) | set(form.MORE) == set(form.FIELDS)
    assert not set(form.PLACED) & set(form.MORE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_widget_says_what_it_is_and_starts_at_the_default(language):
    names = [name for name in form.FIELDS if name not in ("model", "data")]
    with gr.Blocks():
        made = {name: form.widget(name, language) for name in names}
    assert [name for name, widget in made.items() if not (widget.label and widget.info)] == []
    assert {name: widget.value for name, widget in made.items()} == {
        name: form.FIELDS[name].default for name in names
    }


@given(
    st.integers(1, 256),
    st.floats(0.1, 1024, allow_nan=False),
    st.integers(1, 100_000),
    st.floats(1e-7, 1),
    st.text(st.characters(codec="utf-8"), max_size=20),
)
def test_a_link_reproduces_the_settings(rank, alpha, steps, rate, prompt):
    wanted = Settings(rank=rank, alpha=alpha, steps=steps, learning_rate=rate, sample_prompt=prompt)
    query = {name: str(value) for name, value in vars(wanted).items()}
    assert form.from_query({**query, "run": "x", "__theme": "dark"}) == wanted


def test_a_link_with_nonsense_says_what_is_wrong():
    with lab_error("setting_not_a_number"):
        form.from_query({"rank": "<script>"})
    with lab_error("setting_out_of_range"):
        form.from_query({"steps": "-1"})


def test_the_text_field_names_the_other_model():
    values = {**form.defaults(), "model": form.OTHER, "other": " me/mine "}
    assert form.settings(values).model == "me/mine"
    assert form.settings({**values, "model": "gpt2"}).model == "gpt2"


def test_an_emptied_text_field_means_no_text_and_an_emptied_number_is_told():
    assert form.settings({**form.defaults(), "sample_prompt": None}).sample_prompt == ""
    with lab_error("setting_not_a_number"):
        form.settings({**form.defaults(), "rank": None})


def test_a_slider_grows_to_what_a_link_asks_for():
    shown = form.shown(Settings(rank=200, alpha=0.5), ["gpt2"], ["a"])
    assert shown["rank"]["maximum"] == 200 and shown["alpha"]["minimum"] == 0.5


def test_an_unlisted_model_stands_in_the_text_field():
    shown = form.shown(Settings(model="me/mine"), ["gpt2"], ["a"])
    assert shown["model"]["value"] == form.OTHER and shown["other"]["value"] == "me/mine"


def test_every_widget_is_told_what_to_show():
    names = {field.name for field in dataclasses.fields(Settings)} | {"other"}
    assert set(form.shown(Settings(), ["gpt2"], ["a"])) == names


def test_each_method_shows_what_it_reads_and_nothing_else():
    def visible(**settings):
        shown = form.shown(Settings(**settings), ["gpt2"], ["a"])
        return {name for name in form.USED_BY if shown[name]["visible"]}

    of_matrices = {"rank", "alpha", "targets", "dropout", "scaling", "init", "rate_ratio"}
    assert visible() == visible(method="dora") == of_matrices
    assert visible(method="prefix") == {"prefix_tokens"}
    assert visible(method="lora-prefix") == of_matrices | {"prefix_tokens"}
    assert visible(method="full") == set()
