"""How far few examples go is told as the part of the whole gain that they bring."""

import pytest

from lora_lab.ui import views
from tests.experiments import told


def test_rows_are_those_left_after_holding_out():
    (chart,) = views.charts(told("few"), "en")
    assert [point.x for point in chart.lines[0].points] == [8, 360]


@pytest.mark.parametrize(
    ("with_eight", "verdict"),
    [
        (3.5, "The claim holds here: 8 rows already bring 75 % of what 360 bring"),
        # Better than the base, and yet no more than a quarter of what there was to gain.
        (4.5, "The claim does not hold here: 8 rows bring only 25 % of what 360 bring"),
        (5.5, "The claim does not hold here: 8 rows bring only 0 % of what 360 bring"),
    ],
)
def test_the_claim_is_judged_by_the_gain(with_eight, verdict):
    # LoRA on 8 rows and on all, then full fine-tuning; the base has 5.0.
    losses = {0: with_eight, 1: 3.0, 2: 4.0, 3: 2.9}
    assert verdict in views.drawn(told("few", losses.get), "en")
