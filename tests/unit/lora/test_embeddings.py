import copy

import pytest
import torch

from lora_lab.errors import LabError
from lora_lab.lora import attaching
from lora_lab.lora.targets import resolve
from lora_lab.models import lean
from tests.expecting import lab_error
from tests.unit.lora.conftest import tiny_gpt2, tiny_llama

PATH = "model.embed_tokens"


@pytest.fixture
def untied():
    return tiny_llama(tie_word_embeddings=False)


def attached(model, name="a", targets="all", **settings):
    paths = resolve(targets, attaching.matrices(model))
    return attaching.attach(model, name, paths, 4, 8, **settings)


@torch.no_grad()
def disturb(model, name="a"):
    torch.manual_seed(3)
    for parameter in attaching.trainable_parameters(model, name):
        parameter += 0.2 * torch.randn(parameter.shape)


@torch.no_grad()
def test_a_is_zero_and_b_gaussian_so_the_start_is_the_base(untied, ids):
    before = untied(ids).logits
    attached(untied)
    pair = untied.get_submodule(PATH).get("a")
    assert pair.A.shape == (4, 97) and pair.B.shape == (32, 4)
    assert not pair.A.any() and pair.B.std().item() == pytest.approx(1, rel=0.2)
    assert torch.equal(untied(ids).logits, before)
    attaching.detach(untied)
    assert isinstance(untied.get_submodule(PATH), torch.nn.Embedding)


@torch.no_grad()
def test_output_is_that_of_the_sum_of_the_matrices(untied, ids):
    summed = copy.deepcopy(untied)
    attached(untied, targets="embeddings").all("a", 0.5)
    disturb(untied)
    pair = untied.get_submodule(PATH).get("a")
    summed.get_submodule(PATH).weight.add_(0.5 * 2 * (pair.B @ pair.A).t())
    assert torch.allclose(untied(ids).logits, summed(ids).logits, atol=1e-5)


@torch.no_grad()
def test_rows_choose_their_embeddings(untied, ids):
    routing = attached(untied)
    disturb(untied)
    attached(untied, "b", "embeddings", init="both-gaussian", with_magnitudes=True)
    disturb(untied, "b")
    columns, alone = [("b", 1.0), None, ("a", 0.5)], {}
    for column in columns:
        routing.all(*column) if column else routing.off()
        alone[column] = untied(ids).logits
    routing.rows(columns)
    for row, logits in enumerate(untied(ids).logits):
        assert torch.allclose(logits, alone[columns[row]][row], atol=1e-5)


def test_the_lean_forward_trains_them_as_transformers_own_does(untied, ids):
    attached(untied, targets="embeddings")
    disturb(untied)
    parameters = attaching.trainable_parameters(untied, "a")
    total, count = lean.supervised_loss(untied, ids, torch.ones_like(ids, dtype=torch.bool))
    lean_grads = torch.autograd.grad(total / count, parameters)
    plain = torch.autograd.grad(untied(ids, labels=ids).loss, parameters)
    for mine, theirs in zip(lean_grads, plain, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("targets", ["embeddings", "all", "wte", "lm_head"])
def test_a_tied_matrix_is_refused_with_the_reason(targets):
    model = tiny_gpt2()
    with lab_error("embeddings_tied"):
        attached(model, targets=targets)
    assert not list(attaching.layers(model))


def test_positions_are_no_target():
    model = tiny_gpt2()
    with pytest.raises(LabError):
        resolve("wpe", attaching.matrices(model))
    with lab_error("target_not_a_matrix"):
        attaching.attach(model, "a", ["transformer.wpe"], 4, 8)
