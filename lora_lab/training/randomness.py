"""torch's random generators, which dropout draws from: their states taken and put back."""

from __future__ import annotations

import torch
from torch import Tensor


def states(device: torch.device) -> dict[str, Tensor]:
    """Of the processor's generator and, on a GPU, of its own."""
    found = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        found["cuda"] = torch.cuda.get_rng_state(device)
    return found


def put_back(states: dict[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
