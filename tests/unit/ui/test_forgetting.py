"""The chart of what runs learned and forgot."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

from lora_lab.config import Settings
from lora_lab.ui import forgetting, live, runs


def run(learned=2.0, forgot=0.5, **chosen):
    result = {"heldout_loss_before": 5.0, "heldout_loss": 5.0 - learned}
    result |= {"base_text_loss_before": 3.0, "base_text_loss": 3.0 + forgot}
    settings = vars(Settings(**chosen))
    return {"settings": settings, "data": {"name": "a.csv"}, "result": result}


def drawn(html, size="wide"):
    """The dots (x, y) in order of drawing, and the labels' (x, y, text)."""
    svg = re.search(rf'<svg class="{size}".*?</svg>', html, re.S)[0]
    tree = ElementTree.fromstring(svg)
    dots = [(float(c.get("cx")), float(c.get("cy")), c[0].text) for c in tree.iter("circle")]
    names = [e for e in tree.iter("text") if e.get("class") == "name"]
    return dots, [(float(e.get("x")), float(e.get("y")), e.text) for e in names]


def test_more_learned_is_further_right_and_more_forgotten_higher():
    told = forgetting.chart([run(2.0, 0.5), run(1.0, 2.0, method="full")], "en")
    for size in ("wide", "narrow"):
        dots, names = drawn(told, size)
        at = {title.split(":")[0]: (x, y) for x, y, title in dots}
        base, one, full = at["The base"], at["1 · r 8"], at["2 · full"]
        assert base[0] < full[0] < one[0]
        assert base[1] > one[1] > full[1]
        assert {text for _, _, text in names} == {"1 · r 8", "2 · full"}


def test_names_never_lie_on_each_other():
    same = [run(2.0, 0.5, rank=rank) for rank in (1, 2, 4, 8, 16, 32)]
    _, names = drawn(forgetting.chart(same, "es"))
    heights = sorted(y for _, y, _ in names)
    assert len(names) == 6
    assert all(b - a >= forgetting.LINE - 1 for a, b in pairwise(heights))


def test_each_run_is_told_in_words_and_marked_by_more_than_colour():
    told = forgetting.chart([run(), run(1.5, -0.25, method="prefix")], "en")
    assert "2 · prefix 16: learned 1.500, forgot -0.250" in told.replace("−", "-")
    assert "1 · r 8: learned 2.000, forgot 0.500" in told


def test_runs_without_the_figures_are_left_out():
    unfinished = run() | {"result": None}
    stopped = run()
    stopped["result"]["heldout_loss"] = None
    assert forgetting.chart([unfinished, stopped], "en") == ""
    told = forgetting.chart([unfinished, run()], "en")
    assert "2 · r 8" in told and "1 · r 8" not in told
    assert "–" in runs.differences([unfinished, run()], "en")


def test_the_table_and_the_end_of_a_run_tell_the_forgetting_score():
    table = runs.differences([run(), run(forgot=-0.1, rank=4)], "en")
    assert "3.500 (+0.500)" in table and "2.900 (−0.100)" in table
    told = live.standing({**run(), "state": "done", "error": None} | ended(), [], {}, "en")
    assert "3.000 → 3.500" in told


def ended():
    result = run()["result"] | {"steps": 9, "tokens_per_second": 1.0}
    return {"result": result | {"peak_memory_bytes": 1, "seconds": 1.0}}


def test_a_run_is_called_by_its_method():
    titles = {
        method: live.title(run(method=method), "en").removesuffix(" · tiny-stories")
        for method in ("lora", "dora", "prefix", "lora-prefix", "full")
    }
    assert titles["lora"].endswith("rank 8, alpha 16")
    assert titles["prefix"].endswith("prefix of 16") and "rank" not in titles["prefix"]
    assert titles["lora-prefix"].endswith("rank 8, alpha 16, prefix of 16")
    assert titles["full"].endswith("full fine-tuning") and len(set(titles.values())) == 5
