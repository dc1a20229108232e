"""What is inside a learned update: how many directions it uses, and which.

    B [out, r] = Q_out R_out        Aᵀ [in, r] = Q_in R_in        (thin QRs)
    B A = Q_out (R_out R_inᵀ) Q_inᵀ                 so r × r numbers are left to decompose

B A, which is out × in, is never formed. The paper looks inside in section 7.2 and appendix G.
"""

from __future__ import annotations

import torch

from lora_lab.lora.adapter import Adapter


def svd(A: torch.Tensor, B: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """B A = U diag(S) Vh, with U [out, k], S [k] falling, Vh [k, in], all float64.

    A [r, in], B [out, r]; k is r, or the matrix's shorter side where r is larger.
    """
    Q_out, R_out = torch.linalg.qr(B.double())
    Q_in, R_in = torch.linalg.qr(A.double().t())
    U, S, Vh = torch.linalg.svd(R_out @ R_in.t(), full_matrices=False)
    return Q_out @ U, S, Vh @ Q_in.t()


def singular_values(adapter: Adapter, path: str) -> torch.Tensor:
    """Those of the adapter's update s B A at path [k], falling, float64; ‖s B A‖ is their norm."""
    return svd(*adapter.tensors[path])[1] * abs(adapter.scaling(path))


def effective_rank(singular_values: torch.Tensor) -> float:
    """exp(−Σ p ln p) with p = S / ΣS: how many directions share the update (Roy and Vetterli 2007,
    "The effective rank", section 2). From 1, all in one direction, to k, all alike; 0 for zeros.
    """
    total = singular_values.sum()
    if total == 0:
        return 0.0
    shares = singular_values / total
    return torch.special.entr(shares).sum().exp().item()


def similarity(A: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """φ [r, r'] of two A [r, in] and [r', in] on one matrix, between 0 and 1 (section 7.2).

    φ[i − 1, j − 1] = ‖Uᵢᵀ U'ⱼ‖² / min(i, j), where Uᵢ holds the first i directions of x that A
    reads (its right singular vectors): 1 where the smaller span lies inside the larger, 0 where
    they are at right angles. Two random spans of these sizes come to max(i, j) / in, in the mean.
    """
    V, V_other = (torch.linalg.svd(z.double(), full_matrices=False)[2] for z in (A, other))
    both = (V @ V_other.t()).square().cumsum(0).cumsum(1)
    i = torch.arange(1, both.shape[0] + 1, dtype=both.dtype)
    j = torch.arange(1, both.shape[1] + 1, dtype=both.dtype)
    return both / torch.minimum(i[:, None], j)
