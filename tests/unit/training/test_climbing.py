import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_lab.training.climbing import RUNGS, best_rate


@given(st.sampled_from(RUNGS), st.floats(1e-4, 0.5))
def test_a_valley_is_walked_to_its_floor_and_no_rung_is_asked_twice(floor, first):
    asked = []

    def loss(rate):
        asked.append(rate)
        return abs(math.log(rate / floor))

    assert best_rate(first, loss) == floor
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("broken", [math.inf, math.nan])
def test_it_walks_out_of_rates_at_which_training_breaks(broken):
    assert best_rate(0.2, lambda rate: broken if rate > 0.001 else -rate) == 0.001


def test_where_nothing_trains_it_ends_all_the_same():
    assert best_rate(0.01, lambda rate: math.inf) == RUNGS[0]
