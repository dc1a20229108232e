"""Adapters that were never trained and change what a model says all the same."""

from __future__ import annotations

from typing import Any

import torch

from lora_lab.lora import attaching
from lora_lab.lora.adapter import Adapter
from lora_lab.lora.targets import resolve


def drawn(model: Any, rank: int, alpha: float, targets: str = "linear", seed: int = 4) -> Adapter:
    """Both factors of each of the model's target matrices drawn at random, by that seed."""
    draws = torch.Generator().manual_seed(seed)
    sizes = attaching.matrices(model)
    tensors = {}
    for path in resolve(targets, sizes):
        inputs, outputs = sizes[path]
        A, B = (torch.randn(n, m, generator=draws) for n, m in ((rank, inputs), (outputs, rank)))
        tensors[path] = (0.3 * A, 0.3 * B)
    turned = any(not isinstance(model.get_submodule(path), torch.nn.Linear) for path in tensors)
    return Adapter(rank, alpha, tensors, fan_in_fan_out=turned)
