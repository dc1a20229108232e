"""Which examples make which batch: lengths alike in a batch, a new order each epoch.

The batches are a pure function of lengths, batch size, seed and position, so a run that is taken
up again at step k sees what it would have seen.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lora_lab.data.tokenising import Encoded

POOL = 50  # batches whose examples are sorted by length together


@dataclass(frozen=True)
class Plan:
    """Endless batches, each a list of indices into lengths; an epoch holds each index once."""

    lengths: list[int]
    batch_size: int
    seed: int

    @property
    def batches_an_epoch(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def epoch(self, number: int) -> list[list[int]]:
        """The batches of one epoch, counted from 0; only one may be smaller than batch_size."""
        draw = random.Random(f"{self.seed} {number}")
        order = draw.sample(range(len(self.lengths)), len(self.lengths))
        pool = POOL * self.batch_size
        batches = []
        for at in range(0, len(order), pool):
            alike = sorted(order[at : at + pool], key=lambda index: self.lengths[index])
            batches += [
                alike[i : i + self.batch_size] for i in range(0, len(alike), self.batch_size)
            ]
        draw.shuffle(batches)
        return batches

    def batches_at(self, step: int) -> Iterator[list[int]]:
        """The batches from the step-th on, counted from 0; makes no epoch that lies before it."""
        first, inside = divmod(step, self.batches_an_epoch)
        yield from self.epoch(first)[inside:]
        for number in itertools.count(first + 1):
            yield from self.epoch(number)

    def __iter__(self) -> Iterator[list[int]]:
        return self.batches_at(0)


def plan(lengths: list[int], batch_size: int, seed: int) -> Plan:
    """The plan over examples of these lengths (tokens); there is at least one."""
    return Plan(lengths, batch_size, seed)


def collate(batch: Sequence[Encoded]) -> dict[str, list]:
    """Rows padded on the right to the longest: ids [b][t] with 0, supervised [b][t] with False,
    and lengths [b], by which padding is told (a pad id may be a real token too)."""
    width = max(len(encoded.ids) for encoded in batch)
    return {
        "ids": [encoded.ids + [0] * (width - len(encoded.ids)) for encoded in batch],
        "supervised": [
            encoded.supervised + [False] * (width - len(encoded.ids)) for encoded in batch
        ],
        "lengths": [len(encoded.ids) for encoded in batch],
    }
