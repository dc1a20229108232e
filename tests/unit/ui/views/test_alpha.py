"""A sweep of alpha: both scalings on one chart, and the update's size layer by layer."""

from lora_lab.ui import views
from tests.experiments import told


def test_both_scalings_stand_on_one_chart_and_the_best_is_told():
    # Alpha 2, 8, 64 by alpha / r, then by alpha / √r.
    losses = {0: 4.0, 1: 3.5, 2: 3.0, 3: 3.6, 4: 3.03, 5: 6.0}
    sweep = told("alpha", losses.get)
    chart, _, update = views.charts(sweep, "en")
    assert [line.name for line in chart.lines] == ["alpha / r", "alpha / √r"]
    assert [point.y for point in chart.lines[0].points] == [4.0, 3.5, 3.0]
    assert [(point.x, point.y) for point in update.lines[0].points] == [(0, 10.0), (1, 20.0)]
    drawn = views.drawn(sweep, "en")
    assert "Lowest loss at rank 8: 3.000, with α 64 (alpha / r)" in drawn
    assert "One seed cannot tell it from α 8 (alpha / √r)" in drawn
    assert drawn.count("<tr class=best>") == 1


def test_the_factor_that_b_a_is_multiplied_by_is_written_out():
    drawn = views.drawn(told("alpha"), "gl")
    assert "64 · α &gt; r" in drawn and "× 8<" in drawn and "× 22,6" in drawn
