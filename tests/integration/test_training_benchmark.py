"""The benchmark's two sides do the same work, and each is measured."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.training import flops_a_token, run, summary


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=512, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return {"model": str(folder), "targets": "linear", "steps": 4, "threads": 1, "batches": None}


def test_the_same_batches_give_both_sides_the_same_loss(told):
    rival = run("peft", {**told, "sampling": "random", "attention": "sdpa"})
    ours = run("lab", {**told, "batches": rival["batches"]})
    assert len(rival["batches"]) == told["steps"]
    assert ours["loss"] == pytest.approx(rival["loss"], rel=1e-3)
    found = summary([(ours, rival)], flops_a_token(told["model"]))
    assert found["speed_ratio"] > 0 and found["memory_ratio"] > 0
    assert 0 < found["share_of_matmul_rate"] < 1


def test_the_lab_also_runs_in_its_own_order(told):
    assert run("lab", told)["tokens_per_second"] > 0
