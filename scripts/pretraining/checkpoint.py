"""Where a run stands, in one file that is replaced whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Checkpoint:
    """steps and decay are kept, since a decay begun early has moved them."""

    step: int
    steps: int
    decay: int
    fingerprint: str
    network: dict[str, Any]
    optimisers: list[dict[str, Any]]

    def save(self, path: Path) -> None:
        unfinished = path.with_suffix(".unfinished")
        torch.save(vars(self), unfinished)
        unfinished.replace(path)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        return cls(**torch.load(path, weights_only=True, map_location="cpu"))

    def restore(self, network: nn.Module, optimisers: list[torch.optim.Optimizer]) -> None:
        network.load_state_dict(self.network)
        for optimiser, state in zip(optimisers, self.optimisers, strict=True):
            optimiser.load_state_dict(state)
