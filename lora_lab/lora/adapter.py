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
    rank_stabilised: scale by alpha / √r instead of alpha / r (rsLoRA, arXiv:2312.03732).
    fan_in_fan_out: the base stores its weights [in, out], as GPT-2's Conv1D does.
    """

    rank: int
    alpha: float
    tensors: Mapping[str, tuple[torch.Tensor, torch.Tensor]]
    alphas: Mapping[str, float] = field(default_factory=dict)
    dropout: float = 0.0
    rank_stabilised: bool = False
    fan_in_fan_out: bool = False

    @property
    def targets(self) -> list[str]:
        """The full paths of the adapted matrices."""
        return list(self.tensors)

    def scaling(self, path: str) -> float:
        """What B A is multiplied by at path (section 4.1 of the paper: alpha / r)."""
        rank = self.tensors[path][0].shape[0]
        return self.alphas.get(path, self.alpha) / (rank**0.5 if self.rank_stabilised else rank)
