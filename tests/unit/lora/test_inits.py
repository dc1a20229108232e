import pytest
import torch

from lora_lab.lora import attaching, inits
from lora_lab.lora.base import matrix
from lora_lab.lora.targets import resolve
from tests.expecting import lab_error
from tests.unit.lora.conftest import tiny_llama


def attached(model, init, name="a", rank=4, **settings):
    paths = resolve("linear", attaching.matrices(model))
    return attaching.attach(model, name, paths, rank, 2 * rank, init=init, **settings)


@torch.no_grad()
def test_only_both_gaussian_changes_what_the_model_says_at_first(model, ids):
    before = model(ids).logits
    for init in ("gaussian", "zeros"):
        attached(model, init)
        assert torch.equal(model(ids).logits, before)
    attached(model, "pissa")
    assert torch.allclose(model(ids).logits, before, atol=1e-5), "but for rounding"
    attached(model, "both-gaussian")
    assert not torch.allclose(model(ids).logits, before, atol=0.1)


def test_from_zeros_nothing_is_learnt(llama, ids):
    attached(llama, "zeros")
    llama(ids).logits.square().mean().backward()
    assert not any(p.grad.any() for p in attaching.trainable_parameters(llama, "a"))


def test_both_gaussians_have_the_stated_spread(llama):
    attached(llama, "both-gaussian", rank=64)
    for path, layer in attaching.layers(llama):
        pair = layer.get("a")
        for thin in (pair.A, pair.B):
            wanted = (3 * thin.shape[1]) ** -0.5
            assert thin.std().item() == pytest.approx(wanted, rel=0.06), path


@torch.no_grad()
def test_pissa_holds_the_largest_singular_values(model):
    attached(model, "pissa", rank_stabilised=True)
    for _, layer in attaching.layers(model):
        pair, W0 = layer.get("a"), matrix(layer.base)
        assert pair.scaling == pytest.approx(8 / 4**0.5)
        rest = torch.linalg.svdvals(W0 - pair.scaling * pair.B @ pair.A)
        values = torch.linalg.svdvals(W0)
        assert torch.allclose(rest[: len(values) - 4], values[4:], atol=1e-5)
        assert torch.allclose(pair.A.norm(dim=1), pair.B.norm(dim=0), atol=1e-5)


@torch.no_grad()
def test_a_trained_pissa_is_plain_lora_of_twice_the_rank(llama, ids):
    base = {name: tensor.clone() for name, tensor in llama.state_dict().items()}
    attached(llama, "pissa")
    for parameter in attaching.trainable_parameters(llama, "a"):
        parameter += 0.1 * torch.randn(parameter.shape)
    trained, adapter = llama(ids).logits, attaching.extract(llama, "a")
    assert (adapter.rank, adapter.alpha, adapter.scaling(adapter.targets[0])) == (8, 16, 2)
    attaching.detach(llama)
    assert all(torch.equal(t, base[name]) for name, t in llama.state_dict().items())
    attaching.add(llama, "b", adapter)
    assert torch.allclose(llama(ids).logits, trained, atol=1e-5)


def test_pissa_takes_no_more_directions_than_there_are():
    model = tiny_llama()
    with lab_error("pissa_rank"):
        attached(model, "pissa", rank=33)
    assert not list(attaching.layers(model)), "the model is as it was"


@torch.no_grad()
def test_a_start_is_the_seed_s_alone():
    W0 = torch.randn(6, 5)

    def start(seed):
        return inits.start("both-gaussian", W0, 3, 2.0, torch.Generator().manual_seed(seed), False)

    assert all(torch.equal(a, b) for a, b in zip(start(1), start(1), strict=True))
    assert not torch.equal(start(1)[0], start(2)[0])
