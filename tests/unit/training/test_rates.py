"""The learning rate where nobody chose one."""

import pytest

from lora_lab.config import Settings
from lora_lab.training import rates


def test_the_record_has_every_arm_of_three_datasets():
    for datasets in rates.recorded().values():
        assert len(datasets) == 3
        for arms in datasets.values():
            assert set(arms) == {"1", "2", "4", "8", "16", "64", "full"}


@pytest.mark.parametrize(("rank", "like"), [(3, 4), (5, 4), (12, 16), (30, 16), (256, 64)])
def test_a_rank_that_nobody_searched_takes_the_nearest_ones_rate(rank, like):
    assert rates.rate(Settings(rank=rank), True) == rates.rate(Settings(rank=like), True)


def test_a_higher_rank_takes_no_higher_rate():
    found = [rates.rate(Settings(rank=rank), True) for rank in (1, 2, 4, 8, 16, 64)]
    assert found == sorted(found, reverse=True) and found[0] >= 4 * found[-1]


@pytest.mark.parametrize("small", [True, False])
def test_full_fine_tuning_takes_less_and_a_prefix_more_than_lora(small):
    lora = rates.rate(Settings(), small)
    assert rates.rate(Settings(method="full"), small) < lora
    assert rates.rate(Settings(method="prefix"), small) > lora
    assert rates.rate(Settings(method="dora"), small) == lora


def test_targets_that_nobody_searched_take_what_others_took():
    assert rates.rate(Settings(targets="attention"), True) == rates.rate(Settings(), True)


def test_a_chosen_rate_stays():
    assert rates.settled(Settings(learning_rate=0.7), True).learning_rate == 0.7
