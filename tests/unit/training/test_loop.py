"""A batch whose rows are shared out among threads trains as one that is not."""

import random

import pytest
import torch

from lora_lab.config import Settings
from lora_lab.data.tokenising import Encoded
from lora_lab.evaluation.heldout import heldout_loss
from lora_lab.models.shares import share_among
from lora_lab.training import counting, loop, methods
from lora_lab.training.race import own_model
from tests import tiny_models

METHODS = {
    "lora": {"targets": "linear", "accumulation": 2},
    "dora": {"method": "dora"},
    "prefix": {"method": "prefix", "prefix_tokens": 3},
    "full": {"method": "full", "learning_rate": 0.003},
}


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def base(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    return tiny_models.save(request.param, folder).requires_grad_(False)


@pytest.fixture(autouse=True)
def afterwards_as_before():
    yield
    share_among(1)


def rows(count, seed):
    draw = random.Random(seed)
    ids = [[draw.randrange(2, tiny_models.VOCAB) for _ in range(draw.randrange(5, 20))]]
    ids += [[draw.randrange(2, tiny_models.VOCAB) for _ in range(9)] for _ in range(count - 1)]
    nothing = [False] * 9  # a row of which the loss counts nothing, alone in its share
    return [
        Encoded(row, nothing if n == 5 else [False] + [True] * (len(row) - 1), n, False)
        for n, row in enumerate(ids)
    ]


def trained(base, shares, **changes):
    """The held-out curve and the weights after a few steps."""
    settings = Settings(rank=4, batch_size=3, steps=6, evaluate_every=2, max_length=32)
    settings = Settings(**{**vars(settings), "learning_rate": 0.02, **changes})
    share_among(shares)
    torch.manual_seed(settings.seed)
    model = own_model(base, settings.method == "full")
    job = loop.Job(model, methods.put(model, settings), rows(20, 3), settings, torch.device("cpu"))
    told, heldout = [], rows(7, 9)

    def event(kind, **figures):
        told.extend([figures["loss"]] if kind == "heldout" else [])
        return 0

    outcome = loop.train(
        job,
        loop.Watch(
            event,
            lambda: heldout_loss(model, heldout, batch_tokens=20),
            lambda: "",
            lambda _: None,
            lambda: False,
            lambda: 0,
        ),
        None,
    )
    return told, outcome.adapter


@pytest.mark.parametrize("method", METHODS)
def test_shares_change_no_more_than_the_last_bits(base, method):
    alone, its_weights = trained(base, 1, **METHODS[method])
    shared, weights = trained(base, 3, **METHODS[method])
    assert shared == pytest.approx(alone, rel=2e-5)
    assert abs(alone[-1] - alone[0]) > 0.002, "it learns, or there is nothing to compare"
    for name, tensor in its_weights.items():
        torch.testing.assert_close(weights[name], tensor, rtol=1e-2, atol=1e-4)


def test_as_many_shares_give_the_same_bits_each_time(base):
    first, its_weights = trained(base, 3, targets="linear")
    again, weights = trained(base, 3, targets="linear")
    assert first == again
    assert all(torch.equal(weights[name], tensor) for name, tensor in its_weights.items())


def test_dropout_changes_what_is_learned_and_not_where_it_begins(base):
    plain, _ = trained(base, 1, targets="linear")
    dropped, _ = trained(base, 1, targets="linear", dropout=0.3)
    assert dropped[0] == plain[0]
    assert all(one != other for one, other in zip(dropped[1:], plain[1:], strict=True))


def test_dropout_draws_the_same_however_many_threads_there_are(base):
    alone, _ = trained(base, 1, dropout=0.3)
    shared, _ = trained(base, 3, dropout=0.3)
    assert shared == pytest.approx(alone, rel=1e-5)


def test_a_large_model_s_gradients_are_not_held_twice(base, monkeypatch):
    _, its_weights = trained(base, 1, method="full")
    monkeypatch.setattr(counting, "SHARED_AT_MOST", 10)
    _, weights = trained(base, 3, method="full")
    assert all(torch.equal(weights[name], tensor) for name, tensor in its_weights.items())
