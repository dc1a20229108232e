"""Tiny models with random weights, made the same every time."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM


def tiny_llama(**changes):
    torch.manual_seed(7)
    config = LlamaConfig(
        **{
            "vocab_size": 97,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 64,
            "attn_implementation": "eager",
            **changes,
        }
    )
    return LlamaForCausalLM(config).eval()


def tiny_gpt2():
    torch.manual_seed(7)
    config = GPT2Config(
        vocab_size=97, n_embd=32, n_layer=2, n_head=4, n_positions=64, attn_implementation="eager"
    )
    return GPT2LMHeadModel(config).eval()


@pytest.fixture
def llama():
    return tiny_llama()


@pytest.fixture(params=[tiny_llama, tiny_gpt2], ids=["llama", "gpt2"])
def model(request):
    return request.param()


@pytest.fixture
def ids():
    return torch.randint(0, 97, (3, 11), generator=torch.Generator().manual_seed(1))
