"""An adapter away from any model: its tensors and the two numbers that scale them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch


@dataclass(frozen=True)
class Adapter:
    """A and B for each adapted matrix.

    rank, alpha: the adapter's own; alphas holds the matrices that have another alpha, and each
    matrix's own rank is what its tensors say.
    tensors: full module path -> (A [r, in], B [out, r]), both float32.
    rank_stabilised: whether scaled by alpha / √r (rsLoRA, arXiv:2312.03732).
    fan_in_fan_out: the base stores its weights [in, out], as GPT-2's Conv1D does.
    magnitudes: DoRA's m [out] of each matrix, float32; empty for plain LoRA (dora.py).
    embeddings: the paths among them at which the base has an embedding (in is the vocabulary).
    brought: the embeddings that the adapter's file carried along from its base; looked at when it
    is put on one, and written nowhere.
    prefix: what stands before the text in every layer, [tokens, layers, 2, key heads, head's
    width], float32 (prefix.py); with no tensors beside it, rank is 0.
    """

    rank: int
    alpha: float
    tensors: Mapping[str, tuple[torch.Tensor, torch.Tensor]]
    alphas: Mapping[str, float] = field(default_factory=dict)
    dropout: float = 0.0
    rank_stabilised: bool = False
    fan_in_fan_out: bool = False
    magnitudes: Mapping[str, torch.Tensor] = field(default_factory=dict)
    embeddings: frozenset[str] = frozenset()
    brought: Mapping[str, torch.Tensor] = field(default_factory=dict)
    prefix: torch.Tensor | None = None

    @property
    def targets(self) -> list[str]:
        """The full paths of the adapted matrices."""
        return list(self.tensors)

    @property
    def numbers(self) -> int:
        """How many numbers A, B and m hold, of all matrices together."""
        pairs = sum(A.numel() + B.numel() for A, B in self.tensors.values())
        return pairs + sum(m.numel() for m in self.magnitudes.values())

    def scaling(self, path: str) -> float:
        """What B A is multiplied by at path."""
        rank = self.tensors[path][0].shape[0]
        return scaling(self.alphas.get(path, self.alpha), rank, self.rank_stabilised)


def scaling(alpha: float, rank: int, rank_stabilised: bool) -> float:
    """alpha / r (section 4.1 of the paper) or, rank-stabilised, alpha / √r."""
    return alpha / (rank**0.5 if rank_stabilised else rank)
