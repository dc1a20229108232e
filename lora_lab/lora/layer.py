"""LoRA itself (Hu et al. 2021, arXiv:2106.09685, section 4.1).

                 ┌──────────────► W0 [out, in]  frozen ───────────────┐
    x [N, in] ───┤                                                    (+)──► y [N, out]
                 └─► dropout ──► A [r, in] ──► h [N, r] ──► B [out, r] ─┘
                                 Gaussian                   zero        × strength · alpha / r

    y = W0 x + (alpha / r) · B A x

The change to W0 is B A, a matrix of rank r at most, kept as its two thin factors. One layer of
SmolLM2-135M, r = 8: W0 is 576 × 576 = 331,776 numbers; A is 8 × 576 and B is 576 × 8, together
9,216. B starts at zero, so the first step starts from the base exactly.

How A and B start: inits.py. The size of each output learnt apart: dora.py.

A and B are float32 whatever the base is; a bfloat16 base multiplies with their bfloat16 copies,
while the optimiser's small steps land in the float32 ones.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import linear

from lora_lab.lora.base import bias, down, is_embedding, matrix
from lora_lab.lora.low_rank import LowRank, SideBySide
from lora_lab.lora.routing import Choice, Routing


class LoRALayer(nn.Module):
    """A matrix (base.py says of which kinds), and beside it any number of adapters.

    base: the matrix, untouched; it is given back as it was when the adapters are detached.
    """

    def __init__(self, base: nn.Module, routing: Routing):
        super().__init__()
        self.base = base
        self.routing = routing
        self.adapters = nn.ModuleDict()
        self._kept: tuple = (None, None, None, None)

    def put(self, name: str, pair: LowRank) -> None:
        """Stand an adapter's pair beside the matrix, in the place of one of that name."""
        self.adapters[_key(name)] = pair
        self._kept = (None, None, None, None)

    def get(self, name: str) -> LowRank | None:
        """The adapter's pair; None where it leaves this matrix alone."""
        key = _key(name)
        return self.adapters[key] if key in self.adapters else None  # noqa: SIM401 (no get)

    def drop(self, name: str) -> None:
        """Forget an adapter's pair, where there is one."""
        if self.get(name) is not None:
            del self.adapters[_key(name)]

    @property
    def weight(self) -> torch.Tensor:
        """The base's own, where a model's code looks at it (its dtype, its device)."""
        return self.base.weight  # type: ignore[return-value]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [..., in] -> [..., out]; the first dimension is the batch's rows, or these times T.
        Of an embedding x are token ids."""
        if self.routing.by_row is not None:
            return self._mixed(x, self.routing.by_row)
        name, strength = self.routing.whole or ("", 0.0)
        pair = self.get(name)
        if pair is None:
            return self.base(x)
        if pair.magnitude is not None or is_embedding(self.base):
            return self._beside(pair, x, self.base(x), strength)
        dropped = pair.dropped(x)
        return LoRALinear.apply(
            x,
            None if dropped is x else dropped,
            *pair.factors(),
            self.base,
            strength * pair.scaling,
        )

    def _beside(
        self, pair: LowRank, x: torch.Tensor, y: torch.Tensor, strength: float
    ) -> torch.Tensor:
        """y, what the base gives, with what one adapter adds; by plain autograd."""
        A, B = (z.to(y.dtype) for z in pair.factors())
        inner = x if is_embedding(self.base) else pair.dropped(x)
        change = linear(down(self.base, inner, A) * pair.scaling, B)
        if pair.magnitude is not None:
            b, W0 = bias(self.base), matrix(self.base)
            plain = linear(inner, W0) if inner is not x else y if b is None else y - b
            change = change + (pair.gain(W0) - 1).to(y.dtype) * (plain + change)
        return y + strength * change

    def _mixed(self, x: torch.Tensor, choices: list[Choice]) -> torch.Tensor:
        """Each row through its own adapter: two thin multiplications for all that are LoRA's, and
        DoRA's rows by themselves."""
        y = self.base(x)
        y_rows = y.view(len(choices), -1, y.shape[-1])
        x_rows = x.reshape(*y_rows.shape[:2], *(() if is_embedding(self.base) else x.shape[-1:]))
        pairs = {choice[0]: self.get(choice[0]) for choice in choices if choice}
        there = {name: pair for name, pair in pairs.items() if pair is not None}
        lora = {name: pair for name, pair in there.items() if pair.magnitude is None}
        if lora:
            side = self._side_by_side(lora, choices, y.dtype)
            h = (down(self.base, x_rows, side.A) * side.own).masked_fill(side.others, 0)
            y.view(-1, y.shape[-1]).addmm_(h.view(-1, h.shape[-1]), side.B.t())
        for choice in dict.fromkeys(choices):
            if choice and choice[0] in there and choice[0] not in lora:
                at = [row for row, other in enumerate(choices) if other == choice]
                own = self._beside(there[choice[0]], x_rows[at], y_rows[at], choice[1])
                y_rows[at] = own
        return y

    def _side_by_side(
        self, pairs: dict[str, LowRank], choices: list[Choice], dtype: torch.dtype
    ) -> SideBySide:
        """The last one again for as long as neither the choices nor an adapter changes."""
        if torch.is_grad_enabled():
            return SideBySide.of(pairs, choices, dtype)
        versions = [(pair.A._version, pair.B._version) for pair in pairs.values()]
        kept_choices, *kept, side = self._kept
        if kept_choices is not choices or kept != [dtype, versions]:
            side = SideBySide.of(pairs, choices, dtype)
            self._kept = choices, dtype, versions, side
        return side


class LoRALinear(torch.autograd.Function):
    """y = W0 x + s · B A x, keeping for the way back only x and h = A x.

    With g the gradient of y:  dB = s · gᵀ h    dh = s · g B    dA = dhᵀ x    dx = g W0 + dh A
    W0 is frozen: its gradient, as large as itself, is never formed.
    """

    @staticmethod
    def forward(ctx, x, x_dropped, A, B, base, scale):
        """x, x_dropped [..., in], A [r, in], B [out, r] -> [..., out]; x_dropped None means x."""
        inner = x if x_dropped is None else x_dropped
        A_low, B_low = A.to(x.dtype), B.to(x.dtype)
        y = base(x)
        h = inner.reshape(-1, inner.shape[-1]) @ A_low.t()
        y.view(-1, y.shape[-1]).addmm_(h, B_low.t(), alpha=scale)
        ctx.save_for_backward(inner, h, A, B)
        ctx.base, ctx.scale, ctx.split = base, scale, x_dropped is not None
        return y

    @staticmethod
    def backward(ctx, grad):
        inner, h, A, B = ctx.saved_tensors
        g = grad.reshape(-1, grad.shape[-1])
        flat = inner.reshape(-1, inner.shape[-1])
        dh = (g @ B.to(g.dtype)).mul_(ctx.scale)
        dA = (dh.t() @ flat).to(A.dtype)
        dB = (g.t() @ h).to(B.dtype).mul_(ctx.scale)
        dx = d_dropped = None
        if ctx.needs_input_grad[0]:
            dx = g @ matrix(ctx.base)
            if not ctx.split:
                dx.addmm_(dh, A.to(g.dtype))
            dx = dx.view(inner.shape)
        if ctx.split and ctx.needs_input_grad[1]:
            d_dropped = (dh @ A.to(g.dtype)).view(inner.shape)
        return dx, d_dropped, dA, dB, None, None


def _key(name: str) -> str:
    """A name as a module's name, which may hold no dot and hide no method."""
    return name.encode().hex()
