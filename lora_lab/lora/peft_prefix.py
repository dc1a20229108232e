"""A prefix in PEFT's format: one tensor, and a configuration that says how to fold it.

adapter_model.safetensors   prompt_embeddings [tokens, layers · 2 · K · d]: k0, v0, k1, v1, …
adapter_config.json         num_virtual_tokens, num_layers, num_attention_heads (K), token_dim (K·d)

PEFT has no format for LoRA and a prefix together: they are two such folders, the prefix's inside
the other's, and load in PEFT one upon the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from lora_lab.errors import LabError

KIND = "PREFIX_TUNING"
FOLDER = "prefix"  # inside the folder of the LoRA beside it
NAME = "prompt_embeddings"
LARGEST = {
    "num_virtual_tokens": 8192,
    "num_layers": 1000,
    "num_attention_heads": 1000,
    "token_dim": 100_000,
}


def tensors(prefix: torch.Tensor) -> dict[str, torch.Tensor]:
    """prefix [tokens, layers, 2, K, d] as peft names it and lays it out."""
    return {NAME: prefix.flatten(1).contiguous()}


def config(prefix: torch.Tensor, base_name: str) -> dict[str, Any]:
    """What peft asks of adapter_config.json."""
    tokens, layers, _, heads, width = prefix.shape
    return {
        "peft_type": KIND,
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_name,
        "num_virtual_tokens": tokens,
        "num_layers": layers,
        "num_attention_heads": heads,
        "token_dim": heads * width,
        "num_transformer_submodules": 1,
        "encoder_hidden_size": heads * width,
        "prefix_projection": False,
        "inference_mode": True,
    }


def read(file: Path, told: dict[str, Any]) -> torch.Tensor:
    """The prefix of a safetensors file [tokens, layers, 2, K, d], float32. told: its configuration.

    One drawn from a small network (prefix_projection) is saved by peft as what the network gave, so
    it reads alike. Trusts nothing; raises LabError with why.
    """
    tokens, layers, heads, dim = (_count(told, name) for name in LARGEST)
    if dim % heads or told.get("num_transformer_submodules") not in (None, 1):
        raise LabError("adapter_bad_value", file=file.name, name="token_dim", value=str(dim))
    try:
        with safe_open(file, framework="pt") as opened:
            names = list(opened.keys())
            if names != [NAME]:
                strange = next((name for name in names if name != NAME), NAME)
                raise LabError("adapter_strange_tensor", file=file.name, name=strange[:200])
            found = opened.get_slice(NAME)
            if found.get_dtype() not in ("F32", "F16", "BF16"):
                kind = found.get_dtype()
                raise LabError("adapter_bad_dtype", file=file.name, path=NAME, found=kind)
            if found.get_shape() != [tokens, layers * 2 * dim]:
                raise LabError(
                    "prefix_bad_shape",
                    file=file.name,
                    found=" × ".join(map(str, found.get_shape())),
                    expected=f"{tokens} × {layers * 2 * dim}",
                )
            flat = opened.get_tensor(NAME).float()
    except (SafetensorError, OSError, ValueError):
        raise LabError("adapter_file_broken", file=file.name) from None
    if not flat.isfinite().all():
        raise LabError("adapter_not_finite", file=file.name, path=NAME)
    return flat.view(tokens, layers, 2, heads, dim // heads)


def _count(told: dict[str, Any], name: str) -> int:
    value = told.get(name)
    if type(value) is not int or not 1 <= value <= LARGEST[name]:
        raise LabError(
            "adapter_bad_value", file="adapter_config.json", name=name, value=str(value)[:40]
        )
    return value
