"""Batching: each epoch holds each row once, and any position can be taken up again."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from lora_lab.data.batching import collate, plan
from lora_lab.data.tokenising import Encoded

LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=400)
SIZES = st.integers(1, 40)
SEEDS = st.integers(0, 2**31 - 1)


@given(lengths=LENGTHS, size=SIZES, seed=SEEDS)
def test_each_epoch_holds_each_index_once(lengths, size, seed):
    batches = plan(lengths, size, seed)
    for epoch in range(3):
        an_epoch = batches.batches_an_epoch
        found = list(islice(batches.batches_at(epoch * an_epoch), an_epoch))
        assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
        assert all(len(batch) == size for batch in found) or len(lengths) % size
        assert sum(len(batch) < size for batch in found) <= 1


@given(lengths=LENGTHS, size=SIZES, seed=SEEDS, step=st.integers(0, 100))
def test_any_position_goes_on_as_the_whole_does(lengths, size, seed, step):
    whole = list(islice(plan(lengths, size, seed), step + 20))
    assert list(islice(plan(lengths, size, seed).batches_at(step), 20)) == whole[step:]


def test_a_far_position_is_reached_at_once():
    assert next(plan([1] * 100, 8, 0).batches_at(10**12))


def test_epochs_and_seeds_differ():
    one, other = plan(list(range(100)), 4, 0), plan(list(range(100)), 4, 1)
    assert one.epoch(0) != one.epoch(1)
    assert one.epoch(0) != other.epoch(0)


def test_lengths_in_a_batch_are_alike():
    lengths = [7 * index % 256 + 1 for index in range(1000)]
    batches = plan(lengths, 8, 0).epoch(0)
    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in batches)
    assert padded < 1.1 * sum(lengths)


def test_the_order_does_not_depend_on_the_process():
    # a change here breaks the exact resume of runs begun before it
    assert plan([5, 3, 9, 1, 7], 2, 42).epoch(0) == [[2], [3, 1], [0, 4]]


def test_collate_pads_on_the_right():
    rows = [Encoded([5, 6, 7], [False, True, True], 1, False), Encoded([8], [False], 2, False)]
    assert collate(rows) == {
        "ids": [[5, 6, 7], [8, 0, 0]],
        "supervised": [[False, True, True], [False, False, False]],
        "lengths": [3, 1],
    }
