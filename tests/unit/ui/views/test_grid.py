"""How far alpha acts as a learning rate is told by how much their product explains."""

import pytest

from lora_lab.ui import views
from lora_lab.ui.views import grid
from tests.experiments import told

# Alpha 4 and 16, each at the rates 0.001, 0.004 and 0.016: the products are 4, 16, 64 and 16, 64,
# 256 thousandths, so the second and the fourth arm have one product, the third and the fifth too.
RATES = (0.001, 0.004, 0.016)


def drawn(*losses):
    return views.drawn(told("grid", dict(enumerate(losses)).get, rates=RATES), "en")


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [
        ((4.9, 4.0, 3.0, 4.0, 3.0, 2.0), "mostly yes"),
        ((5.0, 4.1, 3.4, 3.8, 2.8, 2.0), "only in part"),
        ((5.0, 4.0, 4.1, 3.0, 2.9, 2.0), "Not here"),
    ],
)
def test_the_verdict_goes_by_what_the_product_explains(losses, verdict):
    assert verdict in drawn(*losses)


def test_the_two_cells_that_contradict_it_most_are_named():
    told_of = "alpha 16 at rate 0.001 comes to 3.50, alpha 4 at rate 0.004 to 4.10 (0.60 nats more)"
    assert told_of in drawn(5.0, 4.1, 3.0, 3.5, 2.8, 2.0)


def test_a_cell_that_blew_up_is_counted_out_and_still_told_of():
    told_of = drawn(4.9, 4.0, 9.0, 4.0, 3.0, 7.0)  # the base has 5.0
    assert "in the 4 of 6 cells that end below the base's 5.00" in told_of.replace("&#x27;", "'")
    assert "alpha 4 at rate 0.016 to 9.00 (6.00 nats more)" in told_of


def test_the_part_that_is_explained_is_of_the_variance():
    # By hand: means 2 and 4, the whole's 3; within 4 × 0.25, in all 4 + 4 × 0.25.
    assert grid._explained([[1.5, 2.5], [3.5, 4.5]]) == pytest.approx(1 - 1 / 5)
    assert grid._explained([[2.0, 2.0], [2.0, 2.0]]) == 1.0


def test_nothing_is_concluded_before_every_cell_has_ended():
    grid_told = told("grid", lambda n: 3.0 - n)
    grid_told["groups"][0]["ended"] = []
    assert "verdict" not in views.drawn(grid_told, "en")


def test_a_cell_that_diverged_says_so():
    assert "diverged" in drawn(5.0, 4.0, 3.0, 4.0, 3.0, None)
