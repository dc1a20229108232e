import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_lab import config, words
from lora_lab.errors import LabError

FIELDS = {field.name: field for field in dataclasses.fields(config.Settings)}
NUMBERS = {name: field for name, field in FIELDS.items() if not isinstance(field.default, str)}


def test_the_defaults_are_inside_their_own_ranges():
    assert config.Settings().checked() == config.Settings()


def test_settings_survive_json():
    settings = config.Settings(rank=4, alpha=3.5, model="gpt2")
    assert config.from_json(vars(settings)) == settings


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_is_named_and_explained(name):
    for language in words.LANGUAGES:
        assert words.say(f"setting.{name}.label", language)
        assert words.say(f"setting.{name}.help", language)
        for choice in FIELDS[name].metadata["choices"] or ():
            assert words.say(f"setting.{name}.{choice}", language)


def test_the_settings_of_an_answer_are_held_to_the_same_rules():
    assert config.Sampling().checked() == config.Sampling()
    for field in dataclasses.fields(config.Sampling):
        for language in words.LANGUAGES:
            assert words.say(f"compare.{field.name}.help", language)
        with pytest.raises(LabError) as caught:
            config.Sampling(**{field.name: field.metadata["high"] + 1}).checked()
        assert words.say(f"compare.{field.name}.label") in caught.value.text()


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("bad", ["x", None, float("nan"), float("inf"), True, [1], {}, 10**400])
def test_what_is_no_number_is_refused(name, bad):
    with pytest.raises(LabError) as caught:
        config.from_json({name: bad})
    assert caught.value.key == "setting_not_a_number"
    assert words.say(f"setting.{name}.label") in caught.value.text()


@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_out_of_range_is_refused_in_every_language(name):
    field = NUMBERS[name]
    for bad in (field.metadata["low"] - 1, field.metadata["high"] + 1):
        with pytest.raises(LabError) as caught:
            config.from_json({name: bad})
        assert len({caught.value.text(language) for language in words.LANGUAGES}) == 3


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_whole_number_is_never_rounded_silently(value):
    try:
        taken = config.from_json({"rank": value}).rank
    except LabError:
        return
    assert taken == value and isinstance(taken, int)


def test_an_unknown_setting_is_named():
    with pytest.raises(LabError) as caught:
        config.from_json({"ranks": 3})
    assert "ranks" in caught.value.text()


def test_an_error_crosses_processes_whole():
    error = LabError("unknown_setting", file="a.csv", row=3, value="x", choices="y")
    again = LabError.from_json(error.as_json())
    assert [again.text(language) for language in words.LANGUAGES] == [
        error.text(language) for language in words.LANGUAGES
    ]
    assert "a.csv, row 3" in again.text()


@pytest.mark.parametrize(
    "told",
    [
        None, 5, [1], ["model"], "model", {"model": 5}, {"targets": ["q_proj"]}, {"data": None},
        {"sample_prompt": "x" * 10_001}, {"steps": 10**400}, {"rank": True}, {"seed": [0]},
    ],
)  # fmt: skip
def test_whatever_a_program_sends_is_told_in_words(told):
    with pytest.raises(LabError) as caught:
        config.from_json(told)
    assert len(caught.value.text()) < 2000
