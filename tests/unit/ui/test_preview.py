"""What the model will see, marked by more than a colour, whole and escaped."""

from __future__ import annotations

import html
import re

import pytest

from lora_lab.ui.preview import preview, summary
from lora_lab.words import LANGUAGES

HOSTILE = "<img src=x onerror=alert(1)>"
TOLD = {
    "examples": [
        {
            "row": 2,
            "pieces": [["Who ", False], ["am I? ", False], ["A ", True], [HOSTILE, True]],
            "tokens": 4,
            "supervised": 2,
            "cut": True,
        }
    ],
    "rows": 40,
    "heldout_rows": 4,
    "rows_cut": 3,
    "left_out": 0,
    "tokens": 900,
    "supervised_share": 0.5,
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_text_is_whole_and_neighbours_are_one_mark(language):
    told = preview(TOLD, language)
    example = re.search(r'<p class="example".*?>(.*?)</p>', told)[1]
    assert html.unescape(re.sub("<[^>]*>", "", example)) == "Who am I? A " + HOSTILE
    assert example.count("<u>") == 1 and "<img" not in told


def test_cut_rows_are_counted_and_none_left_out_is_not_told():
    told = preview(TOLD, "en")
    assert "3 are cut" in told and "left out" not in told and "50 %" in told


@pytest.mark.parametrize("shape", ["text", "prompt", "chat", "stream"])
def test_a_hostile_file_name_and_column_stay_text(shape):
    check = {"name": HOSTILE, "rows": 4, "shape": shape, "columns": {"text": HOSTILE}}
    for language in LANGUAGES:
        assert "<img" not in summary({**check, "delimiter": None}, language)
