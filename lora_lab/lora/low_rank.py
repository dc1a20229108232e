"""One adapter's numbers for one matrix, and those of several adapters side by side."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import dropout

from lora_lab.lora import dora
from lora_lab.lora.routing import Choice


class LowRank(nn.Module):
    """One adapter's A and B for one matrix; with DoRA its magnitude m too. Of each a copy."""

    magnitude: nn.Parameter | None
    A0: torch.Tensor | None
    B0: torch.Tensor | None

    def __init__(
        self,
        A: torch.Tensor,
        B: torch.Tensor,
        magnitude: torch.Tensor | None,
        scaling: float,
        dropout: float,
    ):
        super().__init__()
        self.A, self.B = _own(A), _own(B)  # [r, in], [out, r]
        self.magnitude = None if magnitude is None else _own(magnitude)  # [out]
        self.scaling = scaling
        self.dropout = dropout
        self.register_buffer("A0", None, persistent=False)
        self.register_buffer("B0", None, persistent=False)
        self._kept: tuple = (None, None)

    def take_away_start(self) -> None:
        """From now on what A and B make at this moment is taken away: PiSSA (inits.py)."""
        self.A0, self.B0 = self.A.detach().clone(), self.B.detach().clone()

    def start_magnitude(self, W0: torch.Tensor) -> None:
        """From now on the adapter is DoRA's, with m what leaves its output as it is."""
        self.magnitude = nn.Parameter(dora.lengths(W0, *self.factors(), self.scaling))

    def factors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """A [k, in] and B [out, k] of the whole change; k is twice the rank with PiSSA."""
        if self.A0 is None or self.B0 is None:
            return self.A, self.B
        return torch.cat([self.A, self.A0]), torch.cat([self.B, -self.B0], 1)

    def dropped(self, x: torch.Tensor) -> torch.Tensor:
        """Where gradients are asked for, and there alone. A module's mode is no guide: in training
        the base stays at rest, so that its own dropout is silent."""
        return dropout(x, self.dropout) if self.dropout and torch.is_grad_enabled() else x

    def gain(self, W0: torch.Tensor) -> torch.Tensor:
        """DoRA's g [out]. Where nothing trains, the last one for as long as nothing changes: since
        the last forward that trained, or a tensor's version (which a fused optimiser leaves)."""
        versions = [parameter._version for parameter in self.parameters()]
        if not torch.is_grad_enabled() and self._kept[0] == versions:
            return self._kept[1]
        gain = dora.gain(self.magnitude, W0, *self.factors(), self.scaling)
        self._kept = (None, None) if torch.is_grad_enabled() else (versions, gain)
        return gain


def _own(tensor: torch.Tensor) -> nn.Parameter:
    """In float32, its rows one after the other, as a checkpoint gives AdamW's means back."""
    own = tensor.detach().float().clone(memory_format=torch.contiguous_format)
    return nn.Parameter(own)


class SideBySide(NamedTuple):
    """The adapters of a batch's rows as one, k = r1 + r2 + … wide.

        h [rows, T, k] = x [A1; A2; …]ᵀ · own          y = W0 x + h [B1, B2, …]ᵀ

    own [rows, 1, k]: alpha / r times the strength where that part of h is the row's, and 0
    elsewhere. others: where it is not; there h is put to zero, since 0 times what overflowed in
    another's adapter is no number.
    """

    A: torch.Tensor
    B: torch.Tensor
    own: torch.Tensor
    others: torch.Tensor

    @classmethod
    def of(cls, pairs: dict[str, LowRank], choices: list[Choice], dtype: torch.dtype) -> SideBySide:
        factors = {name: pair.factors() for name, pair in pairs.items()}
        A = torch.cat([A.to(dtype) for A, _ in factors.values()])
        B = torch.cat([B.to(dtype) for _, B in factors.values()], dim=1)
        scales = [
            [
                choice[1] * pairs[name].scaling if choice and choice[0] == name else 0.0
                for name, (A_own, _) in factors.items()
                for _ in range(len(A_own))
            ]
            for choice in choices
        ]
        own = A.new_tensor(scales)[:, None]
        return cls(A, B, own, own == 0)
