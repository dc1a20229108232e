"""How A and B start (section 4.1 of the paper, and what others made of it).

    gaussian        A Gaussian, B zero: B A = 0, so training starts at the base exactly
    zeros           both zero: neither ever gets a gradient, and nothing is learnt
    both-gaussian   both Gaussian: the base is disturbed before the first step
    pissa           A and B from the largest singular values of W0 (Meng et al. 2024,
                    arXiv:2404.02948, section 3), and what they made at the start is taken away

Beside an embedding the two change places, as in the authors' code and in peft: A, a column of which
is looked up for each token, is zero, and B is N(0, 1).

A Gaussian has the spread 1/√(3·columns): of A, 1/√(3·in). The paper says Gaussian and not how wide;
this is the spread of the authors' own code (loralib, and PEFT by default: a uniform in ±1/√in), and
it does not depend on r, so adapters of different ranks start alike. (PEFT's "gaussian" has a spread
of 1/r: at r = 1, forty times this.)

PiSSA trains W0 − s·B0 A0 + s·B A. It is computed as W0 + s·(B A − B0 A0), so W0 itself is never
touched, other adapters can stand beside it, and [A; A0] with [B, −B0] is the same adapter as plain
LoRA of twice the rank: what is saved is that, for any tool and the base as it is.
"""

from __future__ import annotations

import torch

from lora_lab.errors import LabError

Pair = tuple[torch.Tensor, torch.Tensor]  # A [r, in], B [out, r], float32


def start(
    init: str, W0: torch.Tensor, rank: int, scaling: float, draws: torch.Generator, lookup: bool
) -> Pair:
    """A and B beside W0 [out, in]. lookup: whether W0 is an embedding; draws: where the random
    numbers come from. Raises LabError("pissa_rank")."""
    outputs, inputs = W0.shape
    if init == "pissa":
        return _principal(W0, rank, scaling)
    zero = torch.zeros(rank, inputs), torch.zeros(outputs, rank)
    if init == "zeros":
        return zero
    if lookup:
        B = torch.randn(outputs, rank, generator=draws)
        return (_gaussian(rank, inputs, draws) if init == "both-gaussian" else zero[0]), B
    A = _gaussian(rank, inputs, draws)
    return A, (_gaussian(outputs, rank, draws) if init == "both-gaussian" else zero[1])


def _gaussian(rows: int, columns: int, draws: torch.Generator) -> torch.Tensor:
    """[rows, columns], Gaussian, spread 1/√(3·columns)."""
    return torch.randn(rows, columns, generator=draws) * (3 * columns) ** -0.5


def _principal(W0: torch.Tensor, rank: int, scaling: float) -> Pair:
    """W0 ≈ s · B A at this rank, as near as can be: with W0 = U S Vᵀ, A = √(S/s) Vᵀ and
    B = U √(S/s) of the largest `rank` singular values."""
    most = min(W0.shape)
    if rank > most:
        raise LabError("pissa_rank", rank=rank, most=most)
    U, S, Vt = torch.linalg.svd(W0.detach().float(), full_matrices=False)
    root = (S[:rank] / scaling).sqrt()
    return (root[:, None] * Vt[:rank]).cpu(), (U[:, :rank] * root).contiguous().cpu()
