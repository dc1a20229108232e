"""A mix, saved, is an ordinary adapter to peft: its logits are those of the summed updates."""

import copy

import peft
import pytest
import torch

from lora_lab.lora import attaching, mixing, peft_format
from lora_lab.lora.layer import matrix
from tests import tiny_adapters, tiny_models


@pytest.fixture(params=["llama", "gpt2", "phi"])
def base(request, tmp_path):
    return tiny_models.save(request.param, tmp_path / "base")


@pytest.fixture
def ids():
    return torch.randint(0, 97, (3, 11), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_rank_4_and_rank_16_mixed_at_07_and_03(base, ids, tmp_path):
    parts = [
        (tiny_adapters.drawn(base, 4, 8.0, "attention-qv", seed=1), 0.7),
        (tiny_adapters.drawn(base, 16, 16.0, "linear", seed=2), 0.3),
    ]
    summed = copy.deepcopy(base)
    for each, weight in parts:
        for path, (A, B) in each.tensors.items():
            matrix(summed.get_submodule(path)).add_(weight * each.scaling(path) * B @ A)
    wanted = summed(ids).logits
    assert not torch.allclose(base(ids).logits, wanted, atol=1e-2)

    folder = tmp_path / "mix"
    mixed = mixing.mix(parts).adapter
    peft_format.save(folder, mixed, str(tmp_path / "base"), {})
    attaching.add(base, "mix", peft_format.load(folder))
    assert torch.allclose(base(ids).logits, wanted, atol=2e-5)
    theirs = peft.AutoPeftModelForCausalLM.from_pretrained(folder).eval()
    assert torch.allclose(theirs(ids).logits, wanted, atol=2e-5)
