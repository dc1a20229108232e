import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_lab.training.schedule import learning_rate

runs = st.integers(1, 500).flatmap(lambda n: st.tuples(st.just(n), st.floats(0, 0.5)))


@given(runs)
def test_it_climbs_to_the_peak_and_falls_and_is_never_zero(run):
    steps, warmup = run
    rates = [learning_rate(step, steps, 1.0, warmup) for step in range(steps)]
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(1.0)
    assert min(rates) > 0
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_the_middle_of_the_cosine_is_half():
    assert learning_rate(50, 100, 2.0, 0) == pytest.approx(1.0)
