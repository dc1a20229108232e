"""The network as a folder that transformers loads as a LlamaForCausalLM."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save_file
from tokenizers import Tokenizer

from pretraining import vocabulary
from pretraining.network import Network, Shape


def save(network: Network, tokenizer: Tokenizer, folder: Path) -> None:
    """model.safetensors (fp32; the head is the embedding, so it is not written twice),
    config.json, generation_config.json and the tokenizer's files."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: weight.detach().float().cpu().contiguous()
        for name, weight in network.state_dict().items()
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    special = {
        "pad_token_id": tokenizer.token_to_id(vocabulary.PAD),
        "bos_token_id": tokenizer.token_to_id(vocabulary.BEGIN),
        "eos_token_id": tokenizer.token_to_id(vocabulary.END),
    }
    _write(folder / "config.json", _config(network.shape) | special)
    sampling = {"do_sample": True, "temperature": 0.8, "top_p": 0.95, "max_new_tokens": 200}
    _write(folder / "generation_config.json", special | sampling)
    vocabulary.save(tokenizer, folder, network.shape.positions)


def _config(shape: Shape) -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "max_position_embeddings": shape.positions,
        "rms_norm_eps": shape.epsilon,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "dtype": "float32",
    }


def _write(path: Path, told: dict[str, object]) -> None:
    path.write_text(json.dumps(told, indent=2) + "\n")
