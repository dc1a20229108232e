"""A right-padded batch with its padding taken out.

ids [B, T]          packed [N]
a b c d e           a b c d e f g h i j
f g . . .     ──►   everything but attention works on these, row after row;
h i j . .           attention alone sees [B, T] again
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

WORTH_PACKING = 0.05  # share of padding; under it, taking it out costs more than it saves


@dataclass(frozen=True)
class Packing:
    """Which positions of a batch of B rows and T columns are worked on.

    places: their flat places in B·T, in order; None when all of them are.
    among: those of the N whose hidden states are asked for; None when all of them are.
    """

    B: int
    T: int
    places: torch.Tensor | None
    among: torch.Tensor | None

    @classmethod
    def of(cls, wanted_BT: torch.Tensor) -> Packing:
        """Each row up to its last wanted position: a causal model needs nothing to the right."""
        needed_BT = wanted_BT.flip(1).cumsum(1).flip(1) > 0
        T = int(needed_BT.any(0).sum())
        needed, wanted = needed_BT[:, :T].flatten(), wanted_BT[:, :T].flatten()
        if needed.sum() > (1 - WORTH_PACKING) * len(needed):
            needed = torch.ones_like(needed)
        return cls(
            wanted_BT.shape[0],
            T,
            None if needed.all() else needed.nonzero()[:, 0],
            None if wanted.all() else wanted[needed].nonzero()[:, 0],
        )

    def packed(self, x: torch.Tensor) -> torch.Tensor:
        """x [B, T, …] -> [N, …]."""
        x = x.flatten(0, 1)
        return x if self.places is None else x.index_select(0, self.places)

    def padded(self, x: torch.Tensor) -> torch.Tensor:
        """x [N, …] -> [B, T, …], zero where there is padding."""
        if self.places is not None:
            blank = x.new_zeros(self.B * self.T, *x.shape[1:])
            x = blank.index_copy(0, self.places, x)
        return x.view(self.B, self.T, *x.shape[1:])

    def wanted(self, x: torch.Tensor) -> torch.Tensor:
        """x [N, …] -> [n, …]."""
        return x if self.among is None else x.index_select(0, self.among)
