"""The curves as SVG: points where they belong, nothing told by colour alone, nothing injected."""

from __future__ import annotations

import itertools
import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_lab.ui.chart import POINTS, Series, loss_chart, ticks
from lora_lab.words import LANGUAGES

TRAIN = Series("train", [(1, 4.0), (2, 3.0), (3, 2.5)])
HELDOUT = Series("held-out", [(0, 4.1), (3, 2.6)], style=1, marked=True)
HOSTILE = '<img src=x onerror="alert(1)">${alert(1)}{{1}}'


def parsed(markup: str) -> list[ET.Element]:
    return ET.fromstring(markup).findall(".//svg")


@given(
    low=st.floats(-1e6, 1e6),
    span=st.floats(1e-6, 1e6),
    about=st.integers(2, 12),
)
def test_ticks_cover_the_range_with_equal_round_strides(low, span, about):
    found = ticks(low, low + span, about)
    strides = [b - a for a, b in itertools.pairwise(found)]
    slack = 1e-6 * span + 1e-10  # ticks are round to ten decimals
    assert found[0] <= low + slack and found[-1] >= low + span - slack
    assert max(strides) == pytest.approx(min(strides), rel=1e-3)
    assert 1 <= len(strides) <= about + 2


def test_a_flat_curve_still_has_room():
    assert len(ticks(2.0, 2.0, 5)) >= 2
    assert parsed(loss_chart([Series("train", [(1, 2.0), (2, 2.0)])], "en"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_series_has_a_name_a_last_value_and_a_look_of_its_own(language):
    for svg in parsed(loss_chart([TRAIN, HELDOUT], language)):
        names = [text.text for text in svg.iter("text") if text.get("class") == "name"]
        assert sorted(names) == ["held-out", "train"]
        groups = [g.get("class") for g in svg.findall("g") if g.find("path") is not None]
        assert len(set(groups)) == 2
        assert "2" in svg.get("aria-label") and svg.get("role") == "img"


def test_lower_losses_are_drawn_lower_and_later_steps_further_right():
    svg = parsed(loss_chart([TRAIN], "en"))[0]
    circles = svg.findall(".//circle")
    xs, ys = ([float(c.get(axis)) for c in circles] for axis in ("cx", "cy"))
    assert xs == sorted(xs) and ys == sorted(ys)
    assert next(c.find("title").text for c in circles) == "train, step 1: 4.000"


def test_the_axis_ends_where_the_run_will():
    half = parsed(loss_chart([TRAIN], "en", last_step=6))[0]
    whole = parsed(loss_chart([TRAIN], "en"))[0]
    last = [float(svg.findall(".//circle")[-1].get("cx")) for svg in (half, whole)]
    assert last[0] < last[1]


def test_epochs_stand_under_the_steps():
    told = loss_chart([TRAIN], "en", last_step=10, epochs_a_step=0.1)
    assert ">epoch<" in told and ">1.0<" in told
    assert "epoch" not in loss_chart([TRAIN], "en")


def test_a_long_run_is_thinned_and_keeps_its_last_point():
    points = [(i, 4 - i / 10_000) for i in range(1, 10_001)]
    svg = parsed(loss_chart([Series("train", points)], "en"))[0]
    titles = [c.find("title").text for c in svg.findall(".//circle")]
    assert len(titles) <= POINTS + 1
    assert titles[-1] == "train, step 10,000: 3.000"


def test_losses_that_are_no_numbers_are_left_out():
    svg = parsed(loss_chart([Series("train", [(1, 3.0), (2, math.nan), (3, math.inf)])], "en"))[0]
    assert len(svg.findall(".//circle")) == 1


def test_nothing_yet_says_so():
    assert "svg" not in loss_chart([Series("train", [])], "en")
    assert "appears here" in loss_chart([], "en")


def test_end_labels_never_lie_on_each_other():
    same = [Series(str(i), [(1, 3.0), (2, 2.0)], style=i) for i in range(6)]
    for svg in parsed(loss_chart(same, "en")):
        ys = sorted(float(t.get("y")) for t in svg.iter("text") if t.get("class") == "name")
        assert min(b - a for a, b in itertools.pairwise(ys)) >= 26


def test_a_hostile_name_stays_text():
    told = loss_chart([Series(HOSTILE, TRAIN.points)], "en")
    assert "<img" not in told
    titles = [t.text for t in parsed(told)[0].iter("title")]
    assert titles[0].startswith(HOSTILE)
