"""Small random models of several families, saved as transformers saves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from tests.tiny_tokenizers import byte_level

VOCAB = 400
COMMON = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
GROUPED = COMMON | {"num_key_value_heads": 2}
GPT2 = {"vocab_size": VOCAB, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
OPT = {"ffn_dim": 48, "word_embed_proj_dim": 32}
GEMMA2 = {"head_dim": 8, "sliding_window": 8, "final_logit_softcapping": 2.0}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": GROUPED | {"tie_word_embeddings": True},
    "mistral": GROUPED | {"sliding_window": 8},
    "qwen2": GROUPED | {"tie_word_embeddings": True},
    "qwen3": GROUPED | {"tie_word_embeddings": True, "head_dim": 16},
    "gpt2": GPT2 | {"bos_token_id": 0, "eos_token_id": 1},
    "gpt_neox": COMMON | {"tie_word_embeddings": False},
    "gemma": GROUPED | {"head_dim": 16},
    "gemma2": GROUPED | GEMMA2,
    "gemma3_text": GROUPED | {"head_dim": 16, "sliding_window": 32},
    "opt": COMMON | OPT,
    "phi": GROUPED,
}


def save(family: str, folder: Path, seed: int = 0, dtype: torch.dtype = torch.float32) -> Any:
    """A random model of that family and a small tokenizer, in `folder`; returns the model."""
    torch.manual_seed(seed)
    config = AutoConfig.for_model(family, **FAMILIES[family])
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=dtype)
    model.save_pretrained(folder)
    byte_level().save_pretrained(folder)
    return model.eval()
