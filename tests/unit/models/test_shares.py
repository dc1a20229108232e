import threading

import pytest
import torch

from lora_lab.models.shares import in_shares, share_among


@pytest.fixture(autouse=True)
def afterwards_as_before():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    share_among(1)


def test_rows_are_dealt_out_in_turn_and_results_come_in_that_order():
    share_among(3)
    assert in_shares(list, range(8)) == [[0, 3, 6], [1, 4, 7], [2, 5]]
    assert in_shares(list, range(2)) == [[0], [1]]


def test_one_share_is_all_rows_on_the_thread_that_asks():
    assert in_shares(lambda rows: (list(rows), threading.current_thread()), range(3)) == [
        ([0, 1, 2], threading.current_thread())
    ]


def test_shares_are_computed_at_the_same_time():
    share_among(3)
    together = threading.Barrier(3, timeout=60)  # nobody passes before all three have come
    assert sorted(in_shares(lambda _: together.wait(), range(3))) == [0, 1, 2]


@pytest.mark.parametrize(
    ("threads", "shares", "each"), [(4, 2, 2), (4, 3, 1), (1, 2, 1), (4, 1, 4)]
)
def test_torch_s_threads_are_divided_and_the_asker_keeps_its_own(threads, shares, each):
    torch.set_num_threads(threads)
    share_among(shares)
    assert in_shares(lambda _: torch.get_num_threads(), range(8)) == [each] * shares
    assert torch.get_num_threads() == threads


def test_what_a_share_raises_is_raised():
    share_among(2)

    def fail(rows):
        if 1 in rows:
            raise MemoryError("share")
        return rows

    with pytest.raises(MemoryError, match="share"):
        in_shares(fail, range(4))
