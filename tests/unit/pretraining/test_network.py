"""The hand-written passes against plain torch, the network against transformers' Llama."""

import math

import pytest
import torch
from pretraining import saving, vocabulary
from pretraining.kernels import CausalAttention, HeadLoss, RootMeanSquare
from pretraining.network import Network, Shape
from torch.nn import functional
from transformers import AutoModelForCausalLM


def gradients(outcome, inputs):
    weights = torch.linspace(0.5, 1.5, outcome.numel()).view(outcome.shape)
    return torch.autograd.grad((outcome * weights).sum(), inputs)


def assert_same(ours, oracle, inputs):
    torch.testing.assert_close(ours, oracle)
    for mine, theirs in zip(gradients(ours, inputs), gradients(oracle, inputs), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", [1, 64, 150])
def test_attention(length):
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, length, 8, requires_grad=True) for _ in range(3))
    scores = q @ k.mT / math.sqrt(8) + torch.full((length, length), -math.inf).triu(1)
    assert_same(CausalAttention.apply(q, k, v), scores.softmax(-1) @ v, (q, k, v))


def test_head_loss_counts_only_targets():
    torch.manual_seed(0)
    x, head = torch.randn(300, 8, requires_grad=True), torch.randn(40, 8, requires_grad=True)
    targets = torch.randint(0, 40, (300,))
    targets[::7] = -1
    oracle = functional.cross_entropy(x @ head.T, targets, ignore_index=-1, reduction="sum")
    assert_same(HeadLoss.apply(x, head, targets), oracle, (x, head))


def test_norm():
    torch.manual_seed(0)
    x, weight = torch.randn(5, 4, 16, requires_grad=True), torch.randn(16, requires_grad=True)
    oracle = functional.rms_norm(x, (16,), weight, 1e-5)
    assert_same(RootMeanSquare.apply(x, weight, 1e-5), oracle, (x, weight))


def test_saved_network_is_transformers_llama(tmp_path):
    torch.manual_seed(0)
    shape = Shape(vocabulary=300, width=32, layers=2, heads=2, hidden=48)
    network = Network(shape, torch.float32)
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    saving.save(network, vocabulary.learn(["Once upon a time"], 300), tmp_path)
    llama = AutoModelForCausalLM.from_pretrained(tmp_path)
    ids = torch.randint(3, 300, (2, 90))
    torch.testing.assert_close(network.logits(ids), llama(ids).logits, rtol=1e-4, atol=1e-4)
