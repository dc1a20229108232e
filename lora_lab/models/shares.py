"""A batch's rows shared out among threads, each of which takes its own through the whole model.

    one product after the other, split        one thread a share of the rows
    ├─ q ─┤ ├─ k ─┤ ├ norm ┤ ├─ o ─┤          ├─ q ── k ── norm ── o ── … ──┤
    ├─ q ─┤ ├─ k ─┤          ├─ o ─┤          ├─ q ── k ── norm ── o ── … ──┤
          ↑       ↑ all wait for all                                        ↑ one wait

Threads that split each product of matrices wait for each other hundreds of times a step, and leave
what is small to one of them; those that have rows of their own wait once. Python's lock is free
while a kernel computes, so they get into each other's way little (benchmarks/sharing.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch

Row = TypeVar("Row")
Result = TypeVar("Result")

_number = 1


def share_among(threads: int) -> None:
    """From now on this process shares rows out among so many threads; 1, as at first: it does not.

    The number decides the order of sums and so their last bits, as torch's own threads do.
    """
    global _number
    _number = threads


def in_shares(work: Callable[[Sequence[Row]], Result], rows: Sequence[Row]) -> list[Result]:
    """work of each share of rows (at least one), in the same order each time.

    Rows that are sorted by length make shares that are alike. What work changes must be its own:
    shares run at the same time. torch's threads are divided among them.
    """
    shares = [rows[first::_number] for first in range(min(_number, len(rows)))]
    if len(shares) == 1:
        return [work(rows)]
    each = max(1, torch.get_num_threads() // len(shares))

    def alone(share: Sequence[Row]) -> Result:
        torch.set_num_threads(each)
        return work(share)

    return list(_threads(_number).map(alone, shares))


@cache
def _threads(number: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(number, "share")
