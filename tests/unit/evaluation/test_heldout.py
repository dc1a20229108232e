"""The held-out loss against plain cross-entropy, a row at a time."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from lora_lab.data.tokenising import Encoded
from lora_lab.evaluation.heldout import heldout_loss
from lora_lab.lora.attaching import attach, matrices
from lora_lab.lora.targets import resolve


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(1)
    made = []
    for row, length in enumerate((5, 40, 17, 17, 2, 60)):
        ids = torch.randint(0, 256, (length,), generator=generator).tolist()
        supervised = [False] + [place % 3 != 0 for place in range(1, length)]
        made.append(Encoded(ids, supervised, row, False))
    return made


def plain(model, rows):
    total, count = 0.0, 0
    for row in rows:
        ids = torch.tensor([row.ids])
        with torch.no_grad():
            logits = model(ids).logits[0, :-1]
        losses = cross_entropy(logits, ids[0, 1:], reduction="none")
        kept = torch.tensor(row.supervised[1:])
        total, count = total + losses[kept].sum().item(), count + kept.sum().item()
    return total / count


@pytest.mark.parametrize("batch_tokens", [1, 64, 1024])
def test_equals_plain_cross_entropy_however_batched(model, rows, batch_tokens):
    assert heldout_loss(model, rows, batch_tokens) == pytest.approx(plain(model, rows), rel=1e-5)


def test_neither_luck_nor_gradients_nor_mode_are_touched(model, rows):
    attach(model, "a", resolve("linear", matrices(model)), 2, 4.0, dropout=0.9)
    model.train()
    luck = torch.get_rng_state()
    first, second = heldout_loss(model, rows), heldout_loss(model, rows)
    assert first == second
    assert torch.equal(torch.get_rng_state(), luck)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
