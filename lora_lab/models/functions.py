"""The pieces of a Llama-shaped block as autograd Functions with hand-written ways back.

The base is frozen, so no piece forms a gradient for a weight, and each keeps only what its own way
back needs. That, and passing over memory seldom, is what a training step on a CPU gains over plain
autograd; the sums are the same.

Shapes: N tokens, D hidden width, B rows, T positions, K key heads, G query heads a key head,
H = K·G query heads, d a head's width, F the MLP's width, V the vocabulary.
"""

from __future__ import annotations

import torch
from torch.autograd import Function
from torch.nn.functional import silu

LOGITS_AT_ONCE = 8_000_000  # numbers: 16 MB in bfloat16; above 32 MB malloc maps pages anew
ROWS_AT_LEAST = 128  # fewer, and reading W costs more than multiplying by it
SOFTMAX_AT_ONCE = 500_000  # numbers: 2 MB in float32, which stays in the cache


class RMSNorm(Function):
    """y = w · x / rms(x), the mean square taken in float32 (Zhang and Sennrich 2019).

    With u = w · g and r = 1 / rms(x):  dx = r · u − x · r³ · mean(u · x)
    """

    @staticmethod
    def forward(ctx, x_ND, weight_D, eps):
        r_N1 = torch.linalg.vector_norm(x_ND, dim=-1, keepdim=True, dtype=_wide(x_ND))
        r_N1 = r_N1.square_().div_(x_ND.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x_ND, r_N1, weight_D)
        return (x_ND * r_N1).to(x_ND.dtype).mul_(weight_D)

    @staticmethod
    def backward(ctx, g_ND):
        x_ND, r_N1, weight_D = ctx.saved_tensors
        u_ND = g_ND * weight_D
        mean_N1 = (u_ND * x_ND).sum(-1, keepdim=True, dtype=_wide(x_ND)).div_(x_ND.shape[-1])
        inward_N1 = r_N1.pow(3).mul_(mean_N1).to(x_ND.dtype)
        dx_ND = u_ND.mul_(r_N1.to(x_ND.dtype)).addcmul_(x_ND, inward_N1, value=-1)
        return dx_ND, None, None


class SwiGLU(Function):
    """y = silu(gate) · up (Shazeer 2020)."""

    @staticmethod
    def forward(ctx, gate_NF, up_NF):
        ctx.save_for_backward(gate_NF, up_NF)
        return silu(gate_NF).mul_(up_NF)

    @staticmethod
    def backward(ctx, g_NF):
        gate_NF, up_NF = ctx.saved_tensors
        d_up = silu(gate_NF).mul_(g_NF)
        d_gate = torch.ops.aten.silu_backward(g_NF * up_NF, gate_NF)
        return d_gate, d_up


class Attention(Function):
    """Causal attention with rotary positions and grouped queries (Ainslie et al. 2023).

    The G query heads that share a key head lie under each other, [B, K, G·T, d], so one product
    with its keys [B, K, T, d] serves them all and the keys are never repeated.

    With p = softmax(q kᵀ / √d) and o = p v:  dv = pᵀ do    dp = do vᵀ
    ds = p · (dp − Σ dp · p)    dq = ds k    dk = dsᵀ q

    A prefix of P keys and values [P, 2, K, d], or None, stands before the text's in every row, and
    is seen from everywhere; its gradient is the rows' together.
    """

    @staticmethod
    def forward(ctx, q_BTHd, k_BTKd, v_BTKd, cos_Td, sin_Td, mask_TS, scale, prefix_P2Kd):
        """o [B, T, H, d]. mask_TS: 0 where the query (row) may look at the key, else −inf; the
        prefix's P columns come first, so S = P + T. The tables may be longer than T."""
        B, T, H, d = q_BTHd.shape
        K = k_BTKd.shape[2]
        cos_Td, sin_Td = cos_Td[:T], sin_Td[:T]
        q = _heads_first(_rotated(q_BTHd, cos_Td * scale, sin_Td * scale)).view(B, K, -1, d)
        k = _heads_first(_rotated(k_BTKd, cos_Td, sin_Td))
        v = _heads_first(v_BTKd)
        P = 0
        if prefix_P2Kd is not None:
            P = len(prefix_P2Kd)
            before = prefix_P2Kd.permute(1, 2, 0, 3)[:, None].expand(2, B, K, P, d)
            k, v = (torch.cat([a, b], 2) for a, b in zip(before, (k, v), strict=True))
        s = q @ k.transpose(-1, -2)
        s.view(B, H, T, P + T).add_(mask_TS[:T, : P + T])
        p = torch.softmax(s, -1, dtype=_wide(s)).to(q.dtype)
        ctx.save_for_backward(q, k, v, p, cos_Td, sin_Td)
        ctx.scale, ctx.P = scale, P
        return (p @ v).view(B, H, T, d).transpose(1, 2).contiguous()

    @staticmethod
    def backward(ctx, g_BTHd):
        q, k, v, p, cos_Td, sin_Td = ctx.saved_tensors
        B, T, H, d = g_BTHd.shape
        g = _heads_first(g_BTHd).view(q.shape)
        dq = dk = dv = before = None
        wants_q, wants_k, wants_v = ctx.needs_input_grad[:3]
        wants_before = ctx.needs_input_grad[7]
        if wants_v or wants_before:
            dv_BSKd = (p.transpose(-1, -2) @ g).transpose(1, 2)
            dv = dv_BSKd[:, ctx.P :]
        if wants_q or wants_k or wants_before:
            dp = g @ v.transpose(-1, -2)
            ds = torch.ops.aten._softmax_backward_data(dp, p, -1, p.dtype)
            back_Td = -sin_Td
            if wants_q:
                dq = (ds @ k).view(B, H, T, d).transpose(1, 2).contiguous()
                dq = _rotated(dq, cos_Td * ctx.scale, back_Td * ctx.scale)
            if wants_k or wants_before:
                dk_BSKd = (ds.transpose(-1, -2) @ q).transpose(1, 2)
                dk = _rotated(dk_BSKd[:, ctx.P :].contiguous(), cos_Td, back_Td)
            if wants_before:
                both = (each_BSKd[:, : ctx.P].sum(0) for each_BSKd in (dk_BSKd, dv_BSKd))
                before = torch.stack(list(both), 1)
        return dq, dk, dv, None, None, None, None, before


def _rotated(x_BTHd, cos_Td, sin_Td):
    """Each pair (x_i, x_i+d/2) turned by its position's angle (Su et al. 2021); the two halves of a
    table are alike, and turning the other way is the transpose.

    The tables are laid out for all heads, so that the passes run along whole rows.
    """
    B, T, H, d = x_BTHd.shape
    signed_Td = torch.cat([-sin_Td[:, : d // 2], sin_Td[:, d // 2 :]], 1)
    swapped_BTC = x_BTHd.roll(d // 2, -1).view(B, T, H * d)
    turned_BTC = x_BTHd.reshape(B, T, H * d) * cos_Td.repeat(1, H)
    return turned_BTC.addcmul_(swapped_BTC, signed_Td.repeat(1, H)).view(B, T, H, d)


def _heads_first(x_BTHd):
    """[B, H, T, d], laid out so."""
    return x_BTHd.transpose(1, 2).contiguous()


class HeadLoss(Function):
    """Summed cross-entropy, in nats, of the targets under softmax(x Wᵀ); W is frozen.

    The gradient with respect to the logits is softmax − onehot whatever comes after, so it is
    taken at once, some rows at a time, and no logits are kept: dx = (softmax − onehot) W.
    """

    @staticmethod
    def forward(ctx, x_ND, weight_VD, targets_N):
        wants_grad = ctx.needs_input_grad[0]
        dx_ND = torch.empty_like(x_ND) if wants_grad else None
        loss = x_ND.new_zeros((), dtype=_wide(x_ND))
        rows = max(ROWS_AT_LEAST, LOGITS_AT_ONCE // weight_VD.shape[0])
        for start in range(0, x_ND.shape[0], rows):
            piece = slice(start, start + rows)
            logits_nV = x_ND[piece] @ weight_VD.t()
            loss += _softmax_minus_onehot(logits_nV, targets_N[piece])
            if dx_ND is not None:
                torch.mm(logits_nV, weight_VD, out=dx_ND[piece])
        ctx.save_for_backward(dx_ND)
        return loss

    @staticmethod
    def backward(ctx, g):
        (dx_ND,) = ctx.saved_tensors
        return dx_ND * g.to(dx_ND.dtype), None, None


def _softmax_minus_onehot(logits_nV, targets_n):
    """Turns the logits into that, in place and through float32; returns the summed loss."""
    wide = _wide(logits_nV)
    loss = logits_nV.new_zeros((), dtype=wide)
    rows = max(1, SOFTMAX_AT_ONCE // logits_nV.shape[1])
    for l_nV, t_n in zip(logits_nV.split(rows), targets_n.split(rows), strict=True):
        t_n1 = t_n[:, None]
        hit_n1, top_n1 = l_nV.gather(1, t_n1).to(wide), l_nV.amax(1, keepdim=True).to(wide)
        p_nV = torch.softmax(l_nV, 1, dtype=wide)
        # The largest p is 1 / Σ exp(l − top), so log Σ exp(l) = top − log(largest p).
        loss += (top_n1 - p_nV.amax(1, keepdim=True).log() - hit_n1).sum()
        p_nV.scatter_add_(1, t_n1, p_nV.new_full((1, 1), -1.0).expand_as(t_n1))
        l_nV.copy_(p_nV)
    return loss


def _wide(x: torch.Tensor) -> torch.dtype:
    """What sums are taken in: float32, or the tensor's own where that is wider."""
    return torch.promote_types(x.dtype, torch.float32)
