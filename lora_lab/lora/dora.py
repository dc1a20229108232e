"""DoRA (Liu et al. 2024, arXiv:2402.09353): the size of each output's weights learnt apart.

    V = W0 + s · B A                     what LoRA makes of W0, [out, in]
    y = m / ‖V‖ ⊙ V x + b                ‖V‖ [out]: the length of each row of V (the paper, which
                                         writes W transposed, says column); m [out]: trained

m starts as ‖V‖, so the start is LoRA's start. ‖V‖ follows A and B, but no gradient goes through it
(section 4.3). W0 of 576 × 576 adds 576 numbers to the 9,216 of a rank of 8.

With g = m / ‖V‖, and y0 = W0 x + b what the base gives:  y = y0 + Δ + (g − 1) ⊙ (W0 x + Δ) where
Δ = s · B A x. Written so, g = 1 gives LoRA's own bits, and a strength multiplies what comes after
y0: it leads in a straight line from the base to the adapter.
"""

from __future__ import annotations

import torch


@torch.no_grad()
def lengths(W0: torch.Tensor, A: torch.Tensor, B: torch.Tensor, scaling: float) -> torch.Tensor:
    """‖W0 + s B A‖ of each row, [out], float32; no matrix of W0's size is formed.

    ‖w + s·Aᵀb‖² = ‖w‖² + 2s · b·(A w) + s² · b·(A Aᵀ b), w and b being a row of W0 and of B.
    """
    own = torch.linalg.vector_norm(W0, dim=1, dtype=torch.float32).square_()
    A_low, A, B = A.to(W0.dtype), A.float(), B.float()
    across = (W0 @ A_low.t()).float() * B
    within = (B @ (A @ A.t())) * B
    squares = own + 2 * scaling * across.sum(1) + scaling**2 * within.sum(1)
    return squares.clamp_min_(torch.finfo(torch.float32).tiny).sqrt_()


def gain(
    magnitude: torch.Tensor, W0: torch.Tensor, A: torch.Tensor, B: torch.Tensor, scaling: float
) -> torch.Tensor:
    """g = m / ‖V‖, [out], float32. The merged weight is g ⊙ V, row by row."""
    return magnitude / lengths(W0, A, B, scaling)
