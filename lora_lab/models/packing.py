"""A right-padded batch with its padding taken out.

ids [B, T]          packed [N]
h i . . .           h i a b c f g d e j …
a b c . .     ──►   everything but attention works on these, row after row;
f g d e j           attention alone sees rows side by side, those of like length together
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

WORTH_PACKING = 0.05  # share of padding; under it, taking it out costs more than it saves
ALIKE = 1.25  # rows stand side by side while their lengths are within this factor of the first's


@dataclass(frozen=True)
class Group:
    """Rows of like length. T: the longest's; tokens: how many of rows·T are worked on;
    places: which, flat and in order; None when all of them are."""

    rows: int
    T: int
    tokens: int
    places: torch.Tensor | None

    def padded(self, x: torch.Tensor) -> torch.Tensor:
        """x [tokens, …] -> [rows, T, …], zero where there is padding."""
        if self.places is not None:
            x = x.new_zeros(self.rows * self.T, *x.shape[1:]).index_copy(0, self.places, x)
        return x.unflatten(0, (self.rows, self.T))

    def packed(self, x: torch.Tensor) -> torch.Tensor:
        """x [rows, T, …] -> [tokens, …]."""
        x = x.flatten(0, 1)
        return x if self.places is None else x.index_select(0, self.places)


@dataclass(frozen=True)
class Packing:
    """Which positions of a batch are worked on: N in all, in groups of rows.

    kept: [B, T], True at those. among: those of the N whose hidden states are asked for; None when
    all of them are.
    """

    groups: list[Group]
    kept: torch.Tensor
    among: torch.Tensor | None

    @classmethod
    def of(cls, wanted_BT: torch.Tensor) -> Packing:
        """Each row up to its last wanted position: a causal model needs nothing to the right."""
        kept_BT = wanted_BT.flip(1).cumsum(1).flip(1) > 0
        lengths = kept_BT.sum(1).tolist()
        groups = [_group(kept_BT[rows], lengths[rows]) for rows in _alike(lengths)]
        wanted_N = wanted_BT[kept_BT]
        among = None if wanted_N.all() else wanted_N.nonzero()[:, 0]
        return cls([group for group in groups if group.T], kept_BT, among)

    @property
    def longest(self) -> int:
        """The longest row's length."""
        return max(group.T for group in self.groups)

    def split(self, x: torch.Tensor) -> list[torch.Tensor]:
        """x [N, …] -> [rows, T, …] of each group."""
        parts = x.split([group.tokens for group in self.groups])
        return [group.padded(part) for group, part in zip(self.groups, parts, strict=True)]

    def joined(self, parts: list[torch.Tensor]) -> torch.Tensor:
        """The way back from split."""
        packed = [group.packed(x) for group, x in zip(self.groups, parts, strict=True)]
        return packed[0] if len(packed) == 1 else torch.cat(packed)

    def wanted(self, x: torch.Tensor) -> torch.Tensor:
        """x [N, …] -> [n, …]."""
        return x if self.among is None else x.index_select(0, self.among)


def _alike(lengths: list[int]) -> Iterator[slice]:
    """Neighbours of like length."""
    start = 0
    for row in range(1, len(lengths) + 1):
        shorter, longer = sorted((lengths[start], lengths[min(row, len(lengths) - 1)]))
        if row == len(lengths) or longer > ALIKE * shorter:
            yield slice(start, row)
            start = row


def _group(kept_bT: torch.Tensor, lengths: list[int]) -> Group:
    """Marks little padding as kept, in kept_bT itself."""
    rows, T, tokens = len(lengths), max(lengths), sum(lengths)
    kept_bT = kept_bT[:, :T]
    if tokens > (1 - WORTH_PACKING) * rows * T:
        kept_bT.fill_(True)
        return Group(rows, T, rows * T, None)
    return Group(rows, T, tokens, kept_bT.flatten().nonzero()[:, 0])
