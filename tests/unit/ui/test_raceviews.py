"""What experiments show, from made-up standings: every kind, in every language."""

import csv
import io
import re

import pytest

from lora_lab import plots, words
from lora_lab.config import Settings
from lora_lab.lab import experiments, standings
from lora_lab.ui import arms, reports, views
from lora_lab.ui.plane import Axis, Line, Point, plane

CHOICES = {
    "race": {
        "datasets": ["pirate-stories", "x<b>"], "ranks": [1, 8], "others": ["full"], "seeds": 2,
    },
    "alpha": {"alphas": (2, 8, 64)},
    "grid": {"alphas": (4, 16), "rates": (0.001, 0.004)},
    "few": {"rows": (8, 0)},
    "init": {},
}  # fmt: skip


def told(kind, ended=True, loss=lambda n: 3 - n * 0.01):
    """An experiment as lab.experiment tells it; loss: of the n-th arm."""
    settings = Settings()
    made = experiments.arms_of(kind, settings, CHOICES[kind])
    events = []
    for number, arm in enumerate(made):
        for step in (0, 10):
            figures = {"arm": number, "step": step, "loss": 5 - step / 10 - number / 100}
            events.append({"kind": "heldout", **figures})
        events.append({"kind": "begun", "arm": number, "loss": 5.0 + number})
        figures = {"heldout_loss": loss(number), "heldout_loss_before": 5.0, "seconds": 9.0}
        figures |= {"base_text_loss": 3.1, "trainable": 10 + number, "adapter_bytes": 99}
        figures |= {"learning_rate": arm.changes.get("learning_rate", 0.02)}
        figures |= {"update": {"model.layers.0.q": 0.1, "model.layers.1.q": 0.2}}
        if ended:
            events.append({"kind": "arm", "arm": number, "state": "done", **figures})
    sets = dict.fromkeys(arm.settings(settings).data for arm in made)
    experiment = {
        "kind": kind,
        "rates": "own",
        "arms": [arm.as_json() for arm in made],
        "forecasts": [{"memory_bytes": 5e8, "seconds": 9}] * len(made),
        "datasets": [{"data": d, "name": d, "rows": 400, "fingerprint": "ab" * 32} for d in sets],
    }
    run = {
        "id": "a-run", "settings": vars(settings), "state": "done", "error": None,
        "forecast": {"seconds": 9.0}, "base_text_loss": 2.9, "preparing": None,
        "machine": {"device": "cpu", "precision": "float32", "threads": 1},
        "versions": {"torch": "9.9"}, "experiment": experiment,
    }  # fmt: skip
    return {**run, **standings.standings(run, events)}


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("kind", CHOICES)
@pytest.mark.parametrize("ended", [True, False])
def test_every_kind_is_drawn_in_every_language(kind, language, ended):
    drawn = views.drawn(told(kind, ended), language)
    assert "nan" not in drawn and "<b>" not in drawn
    assert ("<svg" in drawn) or not ended
    assert ("<table" in drawn) or not ended
    assert arms.standing(told(kind, ended), {}, language)


def test_a_race_names_the_smallest_rank_within_noise_and_marks_its_row():
    race = told("race", loss=lambda n: 2.0 if n % 3 else 2.5)
    drawn = views.drawn(race, "en")
    assert len(re.findall("<tr class=best>", drawn)) == 2
    assert "rank 8 · smallest within noise of the best" in drawn
    assert "From rank 1 to rank 8 the loss falls by 0.50" in drawn


@pytest.mark.parametrize(("far", "holds"), [(1.0, True), (0.3, False)])
def test_the_claim_on_near_and_far_tasks_is_judged(far, holds, monkeypatch):
    choices = {**CHOICES["race"], "datasets": ["pirate-stories", "german-stories"], "seeds": 1}
    monkeypatch.setitem(CHOICES, "race", choices)
    # Rank 1, rank 8 and full on the near task, then on the far one.
    losses = {0: 3.2, 1: 3.0, 2: 2.9, 3: 4.0, 4: 4.0 - far, 5: 3.0}
    drawn = views.drawn(told("race", loss=losses.get), "en")
    assert ("The claim holds here" in drawn) is holds
    assert ("The claim does not hold here" in drawn) is not holds


def test_the_other_axis_is_the_one_that_was_chosen():
    chart = views.charts(told("race"), "en", "adapter_bytes", "base_text_loss")[-1]
    assert chart.x.label == "file size" and chart.y.label.startswith("English after")
    assert {point.x for line in chart.lines for point in line.points} == {99}


def test_the_grid_tells_whether_alpha_acts_as_a_rate():
    # Arms: alpha 4 and 16 at rates 0.001 and 0.004; the second and third have one product.
    like = {0: 4.0, 1: 3.0, 2: 3.0, 3: 2.0}
    assert "Mostly, yes" in views.drawn(told("grid", loss=like.get), "en")
    unlike = {0: 3.0, 1: 4.0, 2: 2.0, 3: 3.0}
    assert "Not here" in views.drawn(told("grid", loss=unlike.get), "en")


def test_an_inits_curve_begins_where_the_init_put_the_model():
    drawn = views.drawn(told("init"), "en").replace("&#x27;", "'")
    (chart,) = views.charts(told("init"), "en")
    assert [line.points[0].y for line in chart.lines] == [5.0, 6.0, 7.0, 8.0]
    assert "“PiSSA: the base's main directions” starts 3.00 nats away" in drawn.replace(
        "&#x27;", "'"
    )


def test_few_examples_count_the_rows_that_are_left_after_holding_out():
    (chart,) = views.charts(told("few"), "en")
    assert [point.x for point in chart.lines[0].points] == [8, 360]


def test_each_arm_but_full_fine_tuning_leaves_an_adapter():
    assert len(arms.adapters(told("race"), "en")) == 2 * 2 * 2
    assert arms.adapters(told("race", ended=False), "en") == []


def test_a_point_alone_and_equal_heights_can_be_drawn():
    drawn = plane([Line("one", [Point(3, 2)])], Axis("x", log=True), Axis("y"), "en")
    assert drawn.count("<svg") == 3 and "nan" not in drawn
    assert "<svg" not in plane([], Axis("x"), Axis("y"), "en")


@pytest.mark.parametrize("kind", CHOICES)
def test_a_report_is_one_page_with_all_it_takes_to_do_it_again(kind):
    experiment = told(kind)
    panels = [reports.panel(chart, plots) for chart in views.charts(experiment, "en")]
    figure = plots.report("A $title", panels, reports.facts(experiment, "en"))
    drawn = [axes for axes in figure.axes if axes.axison]
    assert len(drawn) == len(panels)
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in drawn)
    text = figure.get_supxlabel()
    assert "torch 9.9" in text and "seed 0" in text and "abababab" in text and "a-run" in text
    assert plots.drawn(figure, "pdf").startswith(b"%PDF")


def test_the_figures_are_a_row_an_arm():
    rows = reports.rows(told("race"))
    text = io.StringIO()
    writer = csv.DictWriter(text, [*reports.COLUMNS, *reports.FIGURES])
    writer.writerows(rows)
    assert len(rows) == 6 and rows[0]["heldout_loss"] == pytest.approx(2.985)
    assert rows[0]["seeds"] == 2 and rows[0]["fingerprint"].startswith("abab")
