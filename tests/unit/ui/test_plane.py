"""Curves over any axis: each curve's name is whole, at its end or in the list below."""

import itertools
import xml.etree.ElementTree as ET

import pytest

from lora_lab.ui.names import LETTER
from lora_lab.ui.plane import SIZES, Axis, Line, Point, plane

LONG = "Respuestas breves, amigo mío"


def drawn(*names):
    lines = [
        Line(name, [Point(1, 2.0), Point(2, 3.0 + place)], place)
        for place, name in enumerate(names)
    ]
    charts = ET.fromstring(plane(lines, Axis("x", log=True), Axis("y"), "en")).findall("div")
    return {chart.get("class"): chart for chart in charts}


def texts(chart):
    return [text for text in chart.iter("text") if text.get("class") == "name"]


def test_a_point_alone_and_equal_heights_can_be_drawn():
    told = plane([Line("one", [Point(3, 2)])], Axis("x", log=True), Axis("y"), "en")
    assert told.count("<svg") == 3 and "nan" not in told
    assert "<svg" not in plane([], Axis("x"), Axis("y"), "en")


@pytest.mark.parametrize("names", [["r 1", "r 64"], ["Pirate stories", "x"], [LONG, "x"]])
def test_every_name_is_whole_and_inside_the_chart(names):
    for size, chart in drawn(*names).items():
        width, _ = SIZES[size]
        at_ends, keys = texts(chart), [key.text for key in chart.iterfind(".//li/span[@class]")]
        assert sorted([text.text for text in at_ends] + keys) == sorted(names)
        for text in at_ends:
            assert float(text.get("x")) + LETTER * len(text.text) <= width


def test_short_names_stand_at_the_ends_and_long_ones_below_where_it_is_narrow():
    short, long = drawn("r 1", "r 64"), drawn("Pirate stories", "x")
    assert all(texts(chart) and chart.find("ul") is None for chart in short.values())
    assert texts(long["wide"]) and not texts(long["narrow"])
    assert "3.000" in ET.tostring(long["narrow"].find("ul"), encoding="unicode")


def test_names_at_the_ends_never_lie_on_each_other():
    lines = [Line(f"r {place}", [Point(1, 3.0), Point(2, 2.0)], place) for place in range(8)]
    tree = ET.fromstring(plane(lines, Axis("x"), Axis("y"), "en"))
    for chart in tree.findall("div"):
        heights = sorted(float(text.get("y")) for text in texts(chart))
        assert min(b - a for a, b in itertools.pairwise(heights)) >= 12


def test_a_hostile_name_stays_text():
    told = plane([Line("<img src=x>" * 9, [Point(1, 2.0)])], Axis("x"), Axis("y"), "en")
    assert "<img" not in told
