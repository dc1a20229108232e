"""What a race comes to: the smallest rank that is good enough, and what rank buys near and far."""

import re

import pytest

from lora_lab.ui import views
from tests.experiments import told

NEAR_AND_FAR = {"datasets": ["pirate-stories", "german-stories"], "seeds": 1}


def test_the_smallest_rank_within_noise_is_named_and_its_row_marked():
    drawn = views.drawn(told("race", lambda n: 2.0 if n % 3 else 2.5), "en")
    assert len(re.findall("<tr class=best>", drawn)) == 2
    assert "rank 8 · the smallest that is enough" in drawn
    assert "From rank 1 to rank 8 the loss falls by 0.50" in drawn


@pytest.mark.parametrize(
    ("far", "verdict"),
    [
        (1.0, "The claim holds here"),
        (0.3, "The claim holds in part"),  # more than near, but not twice as much
        (0.25, "The claim does not hold here"),  # more, but no more than noise is
        (0.1, "The claim does not hold here"),
    ],
)
def test_the_claim_on_near_and_far_tasks_is_judged(far, verdict):
    # Rank 1, rank 8 and full on the near task, then on the far one.
    losses = {0: 3.2, 1: 3.0, 2: 2.9, 3: 4.0, 4: 4.0 - far, 5: 3.0}
    drawn = views.drawn(told("race", losses.get, **NEAR_AND_FAR), "en")
    assert verdict in drawn and drawn.count("The claim") == 1


def test_twice_next_to_nothing_is_nothing():
    losses = {0: 3.01, 1: 3.0, 2: 2.9, 3: 4.03, 4: 4.0, 5: 3.0}
    assert "does not hold" in views.drawn(told("race", losses.get, **NEAR_AND_FAR), "en")


def test_what_rank_buys_is_told_of_ranks_that_both_tasks_have():
    # Rank 8 diverged on the far task.
    losses = {0: 3.2, 1: 3.1, 2: 3.0, 3: 2.9, 4: 4.0, 5: 3.5, 6: None, 7: 3.0}
    race = told("race", losses.get, **NEAR_AND_FAR, ranks=[1, 4, 8])
    drawn = views.drawn(race, "en")
    assert "From rank 1 to rank 4 the loss falls by 0.50" in drawn
    assert drawn.count("diverged") == 1, "it is told of, not left out"


def test_the_other_axis_is_the_one_that_was_chosen():
    chart = views.charts(told("race"), "en", "adapter_bytes", "base_text_loss")[0]
    assert chart.x.label == "file size" and chart.y.label.startswith("English after")
    assert {point.x for line in chart.lines for point in line.points} == {99}
