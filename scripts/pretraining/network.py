"""A Llama in the fewest lines that train fast on a CPU; transformers loads its weights as they are.

The parts are those of Llama (Touvron et al. 2023): RMSNorm before each block (Zhang & Sennrich
2019), rotary positions in halves (Su et al. 2021), SwiGLU (Shazeer 2020), the embedding used again
as the head. Parameters carry the names transformers gives them, so that saving is writing them
down. Names end in their shape: B rows, T tokens, D width, H heads, V vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pretraining.kernels import CausalAttention, HeadLoss, RootMeanSquare


@dataclass(frozen=True)
class Shape:
    """The sizes of the network; `positions` is the longest text it is meant to read, in tokens."""

    vocabulary: int = 2048
    width: int = 128
    layers: int = 5
    heads: int = 4
    hidden: int = 352
    positions: int = 512
    rope_theta: float = 10_000.0
    epsilon: float = 1e-5


class Norm(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape.width))
        self.epsilon = shape.epsilon

    def forward(self, x_BTD: Tensor) -> Tensor:
        return RootMeanSquare.apply(x_BTD, self.weight, self.epsilon)


class Matrix(nn.Module):
    """A linear map with no bias, kept in fp32 and used in the precision of what comes in."""

    def __init__(self, inputs: int, outputs: int, deviation: float):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * deviation)

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight.to(x.dtype))


class Attention(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.heads = shape.heads
        width, start = shape.width, shape.width**-0.5
        self.q_proj = Matrix(width, width, start)
        self.k_proj = Matrix(width, width, start)
        self.v_proj = Matrix(width, width, start)
        self.o_proj = Matrix(width, width, start / math.sqrt(2 * shape.layers))

    def forward(self, x_BTD: Tensor, rotary: Rotary) -> Tensor:
        B, T, D = x_BTD.shape
        # One multiplication for the three, one rotation for the two.
        joined = torch.cat([self.q_proj.weight, self.k_proj.weight, self.v_proj.weight])
        heads = functional.linear(x_BTD, joined.to(x_BTD.dtype)).view(B, T, 3 * self.heads, -1)
        qk, v = heads.split((2 * self.heads, self.heads), 2)
        q, k = rotate(qk, rotary).transpose(1, 2).chunk(2, 1)
        mixed = CausalAttention.apply(q, k, v.transpose(1, 2))
        return self.o_proj(mixed.transpose(1, 2).reshape(B, T, D))


class Feedforward(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        start = shape.width**-0.5
        self.gate_proj = Matrix(shape.width, shape.hidden, start)
        self.up_proj = Matrix(shape.width, shape.hidden, start)
        self.down_proj = Matrix(
            shape.hidden, shape.width, shape.hidden**-0.5 / math.sqrt(2 * shape.layers)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = Norm(shape), Norm(shape)
        self.self_attn, self.mlp = Attention(shape), Feedforward(shape)

    def forward(self, x: Tensor, rotary: Rotary) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), rotary)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = Norm(shape)


class Network(nn.Module):
    """ids [B, T] in, the sum of the losses of targets [B, T] out, in nats; -1 is no target."""

    def __init__(self, shape: Shape, precision: torch.dtype = torch.bfloat16):
        super().__init__()
        self.shape, self.precision = shape, precision
        self.model = Body(shape)
        nn.init.normal_(self.model.embed_tokens.weight, std=shape.width**-0.5)

    def forward(self, ids_BT: Tensor, targets_BT: Tensor) -> Tensor:
        x_BTD, head_VD = self.states(ids_BT)
        return HeadLoss.apply(x_BTD.flatten(0, 1), head_VD, targets_BT.flatten())

    def logits(self, ids_BT: Tensor) -> Tensor:
        return functional.linear(*self.states(ids_BT))

    def states(self, ids_BT: Tensor) -> tuple[Tensor, Tensor]:
        """The last states [B, T, D] and the head [V, D] they meet, both in the precision."""
        embedding = self.model.embed_tokens.weight
        x = functional.embedding(ids_BT, embedding).to(self.precision)
        rotary = angles(self.shape, ids_BT.shape[1], x)
        for layer in self.model.layers:
            x = layer(x, rotary)
        return self.model.norm(x), embedding.to(self.precision)


Rotary = tuple[Tensor, Tensor]


def angles(shape: Shape, length: int, like: Tensor) -> Rotary:
    """Cosines and signed sines [T, 1, d] of every position, as transformers pairs them."""
    half = shape.width // shape.heads // 2
    speed = shape.rope_theta ** -(torch.arange(half, device=like.device).float() / half)
    turn = torch.arange(length, device=like.device).float()[:, None] * speed
    cosine, sine = turn.cos()[:, None], turn.sin()[:, None]
    cosine, sine = torch.cat((cosine, cosine), -1), torch.cat((-sine, sine), -1)
    return cosine.to(like.dtype), sine.to(like.dtype)


def rotate(x_BTHd: Tensor, rotary: Rotary) -> Tensor:
    cosine, sine = rotary
    left, right = x_BTHd.chunk(2, -1)
    return x_BTHd * cosine + torch.cat((right, left), -1) * sine
