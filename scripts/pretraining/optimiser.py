"""Muon for the matrices, AdamW for the embedding and the norms, and the rate over the steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


def rate_at(step: int, warmup: int, decay_from: int, decay: int) -> float:
    """Warm up, hold, fall linearly to 0 (Hu et al. 2024, MiniCPM, section 4): the share of the
    highest rate at `step`. The fall can start at any checkpoint, so a run may end when it must.
    """
    fallen = max(0, step - decay_from) / max(1, decay)
    return max(0.0, min((step + 1) / max(1, warmup), 1.0) * (1.0 - fallen))


def orthogonalise(matrices: Tensor) -> Tensor:
    """U V^T of each matrix's U S V^T, nearly: five Newton-Schulz steps of the fifth order with the
    coefficients of Jordan et al. (2024), which bring singular values to within 0.7 to 1.2.

    matrices: [n, rows, columns].
    """
    x = matrices / (matrices.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum, then the nearest orthogonal matrix (Jordan et al. 2024). The update is scaled to
    the size AdamW's usually has, 0.2 a weight (Liu et al. 2025, section 2.2), so that one rate
    serves both. Matrices of one shape are orthogonalised together.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float, weight_decay: float
    ):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            alike = defaultdict(list)
            for parameter in group["params"]:
                alike[parameter.shape].append(parameter)
            for parameters in alike.values():
                self._step_together(parameters, group)

    def _step_together(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        pushes = []
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state["momentum"] = torch.zeros_like(parameter)
            state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
            pushes.append(parameter.grad.lerp(state["momentum"], group["momentum"]))
        updates = orthogonalise(torch.stack(pushes))
        size = 0.2 * max(updates.shape[-2:]) ** 0.5
        for parameter, update in zip(parameters, updates, strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(update, alpha=-group["lr"] * size)


def optimisers(
    network: nn.Module, kind: str, rate: float, weight_decay: float
) -> list[torch.optim.Optimizer]:
    """kind: "muon", or "adamw" for everything. Norms are not decayed; the embedding is, so that a
    row that is seldom met shrinks towards the others instead of keeping its first noise."""
    matrices, embeddings, norms = [], [], []
    for name, parameter in network.named_parameters():
        kin = norms if parameter.ndim == 1 else embeddings if "embed" in name else matrices
        kin.append(parameter)
    groups = [
        {"params": embeddings, "weight_decay": weight_decay},
        {"params": norms, "weight_decay": 0.0},
    ]
    if kind == "adamw":
        groups.append({"params": matrices, "weight_decay": weight_decay})
    adam = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), fused=True)
    if kind == "adamw":
        return [adam]
    return [adam, Muon(matrices, lr=rate, momentum=0.95, weight_decay=weight_decay)]
