"""The Llama family's forward for training, over transformers' own modules.

    embed ─► ┌ norm ─ q,k,v ─ attention ─ o ─(+)─ norm ─ gate,up ─ SwiGLU ─ down ─(+) ┐ ─► norm
             └──────────────────────── × layers ──────────────────────────────────────┘

The weights, and the adapters beside them, stay where they are: each matrix is called as a module.
What is between them is in functions.py. In the last layer nothing after attention is needed but at
the wanted positions, so only those go on.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lora_lab.models.functions import Attention, RMSNorm, SwiGLU
from lora_lab.models.packing import Packing

FAMILY = {"LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"}


def speaks(model: nn.Module, T: int) -> bool:
    """Whether this forward computes exactly what the model's own does on rows of T tokens, those of
    a prefix counted."""
    config: Any = model.config
    window = getattr(config, "sliding_window", None)
    return (
        type(model).__name__ in FAMILY
        and config.hidden_act == "silu"
        and not (model.training and config.attention_dropout)
        and (window is None or window >= T)
        and not model.base_model.norm.weight.requires_grad  # functions.py trains no weight
    )


def hidden_states(
    model: nn.Module, ids_BT: torch.Tensor, packing: Packing, prefix: torch.Tensor | None = None
) -> torch.Tensor:
    """The hidden states after the last norm at the wanted positions, [n, D].

    prefix: keys and values that stand before every row, [P, layers, 2, K, d].
    """
    body: Any = model.base_model
    P, T = 0 if prefix is None else len(prefix), packing.longest
    x_ND = body.embed_tokens(ids_BT[packing.kept])
    cos_1Td, sin_1Td = body.rotary_emb(x_ND, torch.arange(P, P + T, device=x_ND.device)[None])
    mask_TS = x_ND.new_full((T, P + T), -torch.inf).triu_(P + 1)
    befores = [None] * len(body.layers) if prefix is None else prefix.to(x_ND.dtype).unbind(1)
    last = len(body.layers) - 1
    for index, layer in enumerate(body.layers):
        tables = (cos_1Td[0], sin_1Td[0], mask_TS)
        h_ND = _attended(layer, x_ND, packing, tables, befores[index])
        if index == last:
            x_ND, h_ND = packing.wanted(x_ND), packing.wanted(h_ND)
        x_ND = layer.self_attn.o_proj(h_ND).add_(x_ND)
        h_ND = _norm(layer.post_attention_layernorm, x_ND)
        h_NF = SwiGLU.apply(layer.mlp.gate_proj(h_ND), layer.mlp.up_proj(h_ND))
        x_ND = layer.mlp.down_proj(h_NF).add_(x_ND)
    return _norm(body.norm, x_ND)


def _attended(
    layer: Any, x_ND: torch.Tensor, packing: Packing, tables: tuple, before: torch.Tensor | None
) -> torch.Tensor:
    attention = layer.self_attn
    h_ND = _norm(layer.input_layernorm, x_ND)
    q, k, v = (
        getattr(attention, name)(h_ND).unflatten(-1, (-1, attention.head_dim))
        for name in ("q_proj", "k_proj", "v_proj")
    )
    if hasattr(attention, "q_norm"):  # Qwen3 norms each head
        q, k = _norm(attention.q_norm, q), _norm(attention.k_norm, k)
    groups = zip(*map(packing.split, (q, k, v)), strict=True)
    parts = [Attention.apply(*qkv, *tables, attention.scaling, before) for qkv in groups]
    return packing.joined(parts).flatten(1)


def _norm(norm: Any, x: torch.Tensor) -> torch.Tensor:
    return RMSNorm.apply(x, norm.weight, norm.variance_epsilon)
