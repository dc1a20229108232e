"""How large an update is beside the weights it is added to: ‖ΔW‖ / ‖W0‖, Frobenius norms."""

from __future__ import annotations

import torch
from torch import nn

from lora_lab.lora import spectrum
from lora_lab.lora.adapter import Adapter


@torch.no_grad()
def of_adapter(adapter: Adapter, base: nn.Module) -> dict[str, float]:
    """By matrix, of ΔW = s B A."""
    shares = {}
    for path in adapter.tensors:
        weight = base.get_submodule(path).weight
        assert isinstance(weight, torch.Tensor)
        update = spectrum.singular_values(adapter, path).norm()
        shares[path] = update.item() / weight.float().norm().item()
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
