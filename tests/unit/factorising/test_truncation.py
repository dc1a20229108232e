"""The truncated decomposition against cases worked by hand, plain numpy and its own promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lora_lab.errors import LabError
from lora_lab.factorising import patterns, truncation


def test_nine_by_nine_holds_81_numbers_and_rank_one_18():
    assert [truncation.kept(9, 9, rank) for rank in (1, 2, 9)] == [18, 36, 162]


def test_a_matrix_worked_by_hand():
    """diag(3, 4): its singular values are 4 and 3; rank 1 keeps the 4 and errs by 3 of 5."""
    factors = truncation.decompose(np.array([[3.0, 0.0], [0.0, 4.0]]))
    assert pytest.approx([4, 3]) == factors.S
    assert factors.product(1) == pytest.approx(np.array([[0, 0], [0, 4]]))
    assert truncation.relative_errors([4, 3]) == pytest.approx([1, 0.6, 0])


@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_the_thin_two_are_the_product_and_the_error_is_what_is_left_over(rows, columns, seed):
    matrix = np.random.default_rng(seed).normal(size=(rows, columns))
    factors = truncation.decompose(matrix)
    errors = truncation.relative_errors(factors.S)
    for rank in range(1, min(rows, columns) + 1):
        B, A = factors.thin(rank)
        assert B.shape == (rows, rank) and A.shape == (rank, columns)
        assert pytest.approx(factors.product(rank)) == B @ A
        left = np.linalg.norm(matrix - B @ A) / np.linalg.norm(matrix)
        assert errors[rank] == pytest.approx(left, abs=1e-7)


def test_no_other_rank_two_matrix_is_nearer():
    """Alternating least squares from many starts, an oracle without any decomposition."""
    chance = np.random.default_rng(3)
    matrix = chance.normal(size=(6, 5))
    best = np.linalg.norm(matrix - truncation.decompose(matrix).product(2))
    for _ in range(5):
        A = chance.normal(size=(2, 5))
        for _ in range(60):
            B = np.linalg.lstsq(A.T, matrix.T, rcond=None)[0].T
            A = np.linalg.lstsq(B, matrix, rcond=None)[0]
        assert np.linalg.norm(matrix - B @ A) >= best - 1e-9


def test_the_smallest_rank_for_a_wanted_error():
    assert [truncation.smallest_rank([4, 3], wanted) for wanted in (1, 0.6, 0.59, 0)] == [
        0,
        1,
        2,
        2,
    ]
    assert truncation.smallest_rank([0, 0], 0.1) == 0


def test_the_patterns_have_the_ranks_they_are_said_to_have():
    ranks = {}
    for pattern in patterns.PATTERNS:
        S = truncation.decompose(patterns.draw(pattern, 9, 9)).S
        ranks[pattern] = truncation.smallest_rank(S, 1e-6)
    assert ranks == {"times": 1, "two": 2, "cross": 2, "noise": 9}


@pytest.mark.parametrize("rank", [0, -1, 4])
def test_a_rank_no_such_matrix_has(rank):
    with pytest.raises(LabError, match="no rank"):
        truncation.check_rank(rank, 3, 5)
