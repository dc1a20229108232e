"""The two steps that rule the time on a CPU, with their backward passes written by hand.

Both work in blocks that stay in the cache. Shapes: N positions, D width, V vocabulary, B rows,
H heads, T tokens, d width of a head.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

ROWS = 256  # positions whose logits exist at a time: 256 x 2,048 in fp32 is 2 MB
QUERIES = 64  # queries whose scores exist at a time; they look at no key beyond their own block


class HeadLoss(torch.autograd.Function):
    """Sum of cross-entropies of x_ND @ head_VD.T against targets_N, in nats.

    The logits and their gradient live for one block of rows at a time, in fp32, and the gradients
    of x and the head are taken on the way forward. The grain of saving is that of cut
    cross-entropy (Wijmans et al. 2024, section 4). A target of -1 counts nothing.
    """

    @staticmethod
    def forward(ctx: Any, x_ND: Tensor, head_VD: Tensor, targets_N: Tensor) -> Tensor:
        loss = x_ND.new_zeros((), dtype=torch.float32)
        grad_x, grad_head = torch.empty_like(x_ND), torch.zeros_like(head_VD, dtype=torch.float32)
        for start in range(0, len(x_ND), ROWS):
            x, targets = x_ND[start : start + ROWS], targets_N[start : start + ROWS]
            counted = (targets >= 0)[:, None]
            at = targets.clamp(min=0)[:, None]
            logs = (x @ head_VD.T).float().log_softmax(-1)
            loss -= (logs.gather(1, at) * counted).sum()
            slope = logs.exp_().scatter_add_(1, at, torch.full_like(at, -1, dtype=logs.dtype))
            slope = (slope * counted).to(x.dtype)
            grad_x[start : start + ROWS] = slope @ head_VD
            grad_head += slope.T @ x
        ctx.save_for_backward(grad_x, grad_head)
        return loss

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_x, grad_head = ctx.saved_tensors
        return grad_x * grads[0].to(grad_x.dtype), grad_head * grads[0], None


class CausalAttention(torch.autograd.Function):
    """softmax(q k^T / sqrt(d)) v where a query sees its own position and those before it.

    q, k, v: [B, H, T, d]. Only the probabilities are kept, and only those of blocks that are not
    wholly in the future: at T = 256 five eighths of the square.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        B, H, T, d = q.shape
        q, k, v = (x.reshape(B * H, T, d) for x in (q * d**-0.5, k, v))
        future = q.new_full((QUERIES, QUERIES), -math.inf).triu_(1)
        out, kept = torch.empty_like(v), []
        for start in range(0, T, QUERIES):
            end = min(start + QUERIES, T)
            scores = torch.bmm(q[:, start:end], k[:, :end].transpose(1, 2))
            scores[:, :, start:] += future[: end - start, : end - start]
            kept.append(scores.softmax(-1))
            out[:, start:end] = torch.bmm(kept[-1], v[:, :end])
        ctx.save_for_backward(q, k, v, *kept)
        return out.view(B, H, T, d)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v, *kept = ctx.saved_tensors
        B, H, T, d = grads[0].shape
        grad = grads[0].reshape(B * H, T, d)
        grad_q, grad_k, grad_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for start, weights in zip(range(0, T, QUERIES), kept, strict=True):
            end = min(start + QUERIES, T)
            grad_v[:, :end].baddbmm_(weights.transpose(1, 2), grad[:, start:end])
            slope = torch.bmm(grad[:, start:end], v[:, :end].transpose(1, 2))
            slope = torch._softmax_backward_data(slope, weights, -1, weights.dtype)
            grad_q[:, start:end] = torch.bmm(slope, k[:, :end])
            grad_k[:, :end].baddbmm_(slope.transpose(1, 2), q[:, start:end])
        grad_q *= d**-0.5
        return tuple(x.view(B, H, T, d) for x in (grad_q, grad_k, grad_v))  # type: ignore[return-value]


class RootMeanSquare(torch.autograd.Function):
    """x / sqrt(mean(x^2) + epsilon) * weight over the last axis (Zhang & Sennrich 2019).

    Squares are summed in fp32: bf16 has 8 bits of mantissa.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        scale = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        scale = (scale.square_() / x.shape[-1] + epsilon).rsqrt_().to(x.dtype)
        normal = x * scale
        ctx.save_for_backward(normal, scale, weight)
        return normal * weight.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        normal, scale, weight = ctx.saved_tensors
        along = grads[0] * normal
        grad_weight = along.flatten(0, -2).sum(0, dtype=torch.float32)
        slope = grads[0] * weight.to(grads[0].dtype)
        inner = (slope * normal).mean(-1, keepdim=True, dtype=torch.float32).to(slope.dtype)
        return torch.addcmul(slope, normal, inner, value=-1) * scale, grad_weight, None
