"""How large an update is beside the weights it is added to: ‖ΔW‖ / ‖W0‖, Frobenius norms."""

from __future__ import annotations

import torch
from torch import nn

from lora_lab.lora.adapter import Adapter


@torch.no_grad()
def of_adapter(adapter: Adapter, base: nn.Module) -> dict[str, float]:
    """By matrix, of ΔW = scaling · B A. Never forms B A: ‖B A‖² = tr((Bᵀ B)(A Aᵀ)), r × r."""
    shares = {}
    for path, (A, B) in adapter.tensors.items():
        squared = ((B.T @ B) * (A @ A.T)).sum().clamp(min=0).item()
        weight = base.get_submodule(path).weight
        assert isinstance(weight, torch.Tensor)
        shares[path] = abs(adapter.scaling(path)) * squared**0.5 / weight.float().norm().item()
    return shares


@torch.no_grad()
def of_model(tuned: nn.Module, base: nn.Module) -> dict[str, float]:
    """By matrix, of a base trained whole."""
    before = dict(base.named_parameters())
    return {
        name.removesuffix(".weight"): _share(before[name].float(), after.float())
        for name, after in tuned.named_parameters()
        if after.dim() == 2
    }


def _share(before: torch.Tensor, after: torch.Tensor) -> float:
    return ((after - before).norm() / before.norm()).item()
