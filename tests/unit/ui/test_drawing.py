"""The drawing of W0 + BA is to scale: areas are to each other as the numbers they stand for."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_lab.ui.drawing import THINNEST, drawing
from lora_lab.words import LANGUAGES


def boxes(rows: int, columns: int, rank: int) -> dict[str, tuple[float, float]]:
    svg = ET.fromstring(drawing(rows, columns, rank, 16, "en")).find("svg")
    return {
        box.get("class"): (float(box.get("width")), float(box.get("height")))
        for box in svg.iter("rect")
    }


@given(st.integers(8, 20_000), st.integers(8, 20_000), st.integers(1, 256))
def test_one_length_is_one_row_or_column_in_all_three(rows, columns, rank):
    found = boxes(rows, columns, rank)
    scale = found["w0"][0] / columns
    near = {"abs": 0.11}
    assert found["w0"][1] == pytest.approx(rows * scale, abs=0.11 + 0.06 * rows / columns)
    assert found["b"][1] == found["w0"][1] and found["a"][0] == found["w0"][0]
    strip = max(THINNEST, rank * scale)
    assert found["b"][0] == pytest.approx(strip, abs=0.11 + 0.06 * rank / columns)
    assert found["a"][1] == pytest.approx(found["b"][0], **near)


@given(st.integers(8, 20_000), st.integers(8, 20_000), st.integers(1, 256))
def test_nothing_is_drawn_outside(rows, columns, rank):
    svg = ET.fromstring(drawing(rows, columns, rank, 16, "en")).find("svg")
    _, _, width, height = map(float, svg.get("viewBox").split())
    for box in svg.iter("rect"):
        assert float(box.get("x")) + float(box.get("width")) <= width + 0.5
        assert float(box.get("y")) + float(box.get("height")) <= height + 0.5


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_told_in_words_too(language):
    label = ET.fromstring(drawing(576, 192, 8, 2.5, language)).find("svg").get("aria-label")
    assert all(number in label for number in ("576", "192", "8", "2"))
    assert "2.5" in label or "2,5" in label
