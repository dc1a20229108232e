"""Figures to keep: their lines are the events' figures, and no name breaks them."""

from __future__ import annotations

import sys

import pytest

from lora_lab.plots import drawn, loss_figure
from lora_lab.words import LANGUAGES

EVENTS = [
    {"kind": "heldout", "step": 0, "loss": 4.0},
    {"kind": "train", "step": 1, "loss": 3.9},
    {"kind": "sample", "step": 1, "text": "…"},
    {"kind": "train", "step": 2, "loss": 3.5},
    {"kind": "heldout", "step": 2, "loss": 3.4},
]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_lines_are_the_events(language):
    axes = loss_figure([("a", EVENTS), ("b", EVENTS[:2])], language).axes[0]
    lines = [list(map(tuple, line.get_xydata())) for line in axes.lines]
    assert lines[0] == [(1, 3.9), (2, 3.5)] and lines[1] == [(0, 4.0), (2, 3.4)]
    assert len(lines) == 4 and len({line.get_label() for line in axes.lines}) == 4
    assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()


def test_no_name_is_taken_for_mathematics():
    assert drawn(loss_figure([(r"$\frac$ <b> %s.csv", EVENTS)], "en"), "png").startswith(b"\x89PNG")


def test_a_run_without_points_gives_an_empty_figure():
    assert drawn(loss_figure([("a", [])], "en"), "png").startswith(b"\x89PNG")


def test_pyplot_stays_out():
    drawn(loss_figure([("a", EVENTS)], "en"), "png")
    assert "matplotlib.pyplot" not in sys.modules
