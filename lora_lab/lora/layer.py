"""LoRA itself (Hu et al. 2021, arXiv:2106.09685, section 4.1).

                 ┌──────────────► W0 [out, in]  frozen ───────────────┐
    x [N, in] ───┤                                                    (+)──► y [N, out]
                 └─► dropout ──► A [r, in] ──► h [N, r] ──► B [out, r] ─┘
                                 Gaussian                   zero        × strength · alpha / r

    y = W0 x + (alpha / r) · B A x

The change to W0 is B A, a matrix of rank r at most, kept as its two thin factors. One layer of
SmolLM2-135M, r = 8: W0 is 576 × 576 = 331,776 numbers; A is 8 × 576 and B is 576 × 8, together
9,216. B starts at zero, so the first step starts from the base exactly.

A starts as N(0, 1/(3·in)). The paper says Gaussian and not how wide; this is the spread of the
authors' own code (loralib, and PEFT by default: a uniform in ±1/√in), and it does not depend on r,
so adapters of different ranks start alike. (PEFT's "gaussian" has a spread of 1/r: at r = 1, forty
times this.)

A and B are float32 whatever the base is; a bfloat16 base multiplies with their bfloat16 copies,
while the optimiser's small steps land in the float32 ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import dropout, linear

from lora_lab.lora.adapter import Adapter

Choice = tuple[str, float] | None  # an adapter's name and its strength; None is the base alone


class Routing:
    """Which adapter each row of the batch goes through: one object, read by every layer."""

    def __init__(self) -> None:
        self.known: dict[str, Adapter] = {}  # by name; what each is, without its tensors
        self.thawed: list[nn.Parameter] = []  # trainable before attaching: thawed on detaching
        self.whole: Choice = None
        self.by_row: list[Choice] | None = None

    def all(self, name: str, strength: float = 1.0) -> None:
        """Every row through this adapter; strength multiplies alpha / r."""
        self.whole, self.by_row = self._checked((name, strength)), None

    def rows(self, choices: Sequence[Choice]) -> None:
        """Row i of the batch through choices[i]."""
        checked = [self._checked(choice) for choice in choices]
        self.whole, self.by_row = None, checked
        if len(set(checked)) == 1:
            self.whole, self.by_row = checked[0], None

    def off(self) -> None:
        """Every row through the base alone."""
        self.whole = self.by_row = None

    def _checked(self, choice: Choice) -> Choice:
        if choice is not None and choice[0] not in self.known:
            raise KeyError(choice[0])
        return choice if choice is not None and choice[1] != 0 else None


class LowRank(nn.Module):
    """One adapter's A and B for one matrix."""

    def __init__(self, A: torch.Tensor, B: torch.Tensor, scaling: float, dropout: float = 0.0):
        super().__init__()
        self.A = nn.Parameter(A)  # [r, in]
        self.B = nn.Parameter(B)  # [out, r]
        self.scaling = scaling
        self.dropout = dropout

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """B A x without the scale. x [..., in] -> [..., out], in x's own dtype."""
        return linear(linear(self.dropped(x), self.A.to(x.dtype)), self.B.to(x.dtype))

    def dropped(self, x: torch.Tensor) -> torch.Tensor:
        return dropout(x, self.dropout) if self.dropout and self.training else x


class LoRALayer(nn.Module):
    """An nn.Linear or a Conv1D, and beside it any number of adapters.

    base: the matrix, untouched; it is given back as it was when the adapters are detached.
    """

    def __init__(self, base: nn.Module, routing: Routing):
        super().__init__()
        self.base = base
        self.routing = routing
        self.adapters = nn.ModuleDict()
        self._kept: tuple = (None, None, None, None)

    def put(self, name: str, pair: LowRank) -> None:
        self.adapters[_key(name)] = pair
        self._kept = (None, None, None, None)

    def get(self, name: str) -> LowRank | None:
        key = _key(name)
        return self.adapters[key] if key in self.adapters else None  # noqa: SIM401 (no get)

    def drop(self, name: str) -> None:
        if self.get(name) is not None:
            del self.adapters[_key(name)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [..., in] -> [..., out]; the first dimension is the batch's rows, or these times T."""
        if self.routing.by_row is not None:
            return self._mixed(x, self.routing.by_row)
        name, strength = self.routing.whole or ("", 0.0)
        pair = self.get(name)
        if pair is None:
            return self.base(x)
        scale = strength * pair.scaling
        dropped = pair.dropped(x)
        return LoRALinear.apply(
            x, None if dropped is x else dropped, pair.A, pair.B, self.base, scale
        )

    def _mixed(self, x: torch.Tensor, choices: list[Choice]) -> torch.Tensor:
        """Each row through its own adapter, without dropout: two thin multiplications for all."""
        y = self.base(x)
        pairs = {choice[0]: self.get(choice[0]) for choice in choices if choice}
        there = {name: pair for name, pair in pairs.items() if pair is not None}
        if there:
            side = self._side_by_side(there, choices, x.dtype)
            h = linear(x.reshape(len(choices), -1, x.shape[-1]), side.A) * side.own[:, None]
            y.view(-1, y.shape[-1]).addmm_(h.view(-1, h.shape[-1]), side.B.t())
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


class SideBySide(NamedTuple):
    """The adapters of a batch's rows as one, k = r1 + r2 + … wide.

        h [rows, T, k] = x [A1; A2; …]ᵀ · own          y = W0 x + h [B1, B2, …]ᵀ

    own [rows, k]: alpha / r times the strength where that part of h is the row's, and 0 elsewhere.
    """

    A: torch.Tensor
    B: torch.Tensor
    own: torch.Tensor

    @classmethod
    def of(cls, pairs: dict[str, LowRank], choices: list[Choice], dtype: torch.dtype) -> SideBySide:
        A = torch.cat([pair.A.to(dtype) for pair in pairs.values()])
        B = torch.cat([pair.B.to(dtype) for pair in pairs.values()], dim=1)
        scales = [
            [
                choice[1] * pair.scaling if choice and choice[0] == name else 0.0
                for name, pair in pairs.items()
                for _ in range(len(pair.A))
            ]
            for choice in choices
        ]
        return cls(A, B, A.new_tensor(scales))


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


def is_matrix(module: nn.Module) -> bool:
    """Whether LoRA can stand beside it: nn.Linear, or GPT-2's Conv1D (a Linear kept [in, out])."""
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"


def matrix(base: nn.Module) -> torch.Tensor:
    """W0 [out, in], whichever way round the module keeps it."""
    return base.weight if isinstance(base, nn.Linear) else base.weight.t()


def gaussian(rank: int, inputs: int, generator: torch.Generator) -> torch.Tensor:
    """A [rank, inputs] at the start: Gaussian, spread 1/√(3·inputs)."""
    return torch.randn(rank, inputs, generator=generator) * (3 * inputs) ** -0.5


def _key(name: str) -> str:
    """A name as a module's name, which may hold no dot and hide no method."""
    return name.encode().hex()
