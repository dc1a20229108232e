"""Mixed adapters against the plain sum of their updates, torch's own SVD and peft's own TIES."""

import copy
from dataclasses import replace

import pytest
import torch
from peft.utils import merge_utils

from lora_lab.lora import attaching, mixing, peft_format
from lora_lab.lora.adapter import Adapter
from lora_lab.lora.layer import matrix
from lora_lab.lora.targets import resolve
from tests.expecting import lab_error

PATH = "model.layers.0.self_attn.q_proj"


def adapter(model, targets, rank, alpha, seed, **more):
    draws = torch.Generator().manual_seed(seed)
    sizes = attaching.matrices(model)
    tensors = {
        path: (
            torch.randn(rank, sizes[path][0], generator=draws),
            torch.randn(sizes[path][1], rank, generator=draws) * 0.2,
        )
        for path in resolve(targets, sizes)
    }
    return Adapter(rank, alpha, tensors, **more)


def update(adapter, path):
    A, B = adapter.tensors[path]
    return adapter.scaling(path) * B.double() @ A.double()


@pytest.fixture
def parts(model):
    """Unequal ranks, alphas and targets; rsLoRA's scale; a matrix with an alpha of its own."""
    first = adapter(model, "attention-qv", 4, 8, 1)
    own = next(iter(first.tensors))
    second = adapter(model, "linear", 16, 16, 2, rank_stabilised=True, alphas={own: 3.0})
    return [(first, 0.7), (second, 0.3)]


@torch.no_grad()
def test_a_sum_gives_the_logits_of_the_summed_updates(model, ids, parts):
    summed = copy.deepcopy(model)
    for each, weight in parts:
        for path in each.tensors:
            matrix(summed.get_submodule(path)).add_((weight * update(each, path)).float())
    mixed = mixing.mix(parts)
    assert mixed.error == 0
    attaching.add(model, "mix", mixed.adapter)
    assert torch.allclose(model(ids).logits, summed(ids).logits, atol=1e-4)
    ranks = {len(A) for A, _ in mixed.adapter.tensors.values()}
    assert ranks == {16, 20}
    assert {mixed.adapter.scaling(path) for path in mixed.adapter.tensors} == {1.0}


def test_a_sum_survives_its_file(parts, tmp_path):
    mixed = mixing.mix(parts).adapter
    peft_format.save(tmp_path, mixed, "owner/base", {})
    loaded = peft_format.load(tmp_path)
    for path in mixed.tensors:
        assert torch.equal(update(loaded, path), update(mixed, path))


def test_compression_is_the_best_there_is_and_says_what_it_lost(model, parts):
    mixed = mixing.mix(parts, rank=5)
    lost = whole = 0.0
    for path in mixed.adapter.tensors:
        wanted = sum(w * update(a, path) for a, w in parts if path in a.tensors)
        _, S, _ = torch.linalg.svd(wanted)
        found = (wanted - update(mixed.adapter, path)).norm()
        assert found == pytest.approx(S[5:].norm().item(), rel=1e-4)
        assert mixed.errors[path] == pytest.approx((found / wanted.norm()).item(), rel=1e-4)
        lost, whole = lost + found**2, whole + wanted.norm() ** 2
    assert mixed.error == pytest.approx((lost / whole).sqrt().item(), rel=1e-4)
    assert 0 < mixed.error < 1


def test_compression_to_a_rank_there_already_is_loses_nothing(model, parts):
    mixed = mixing.mix(parts[:1], rank=9)
    assert mixed.error < 1e-7
    assert mixed.adapter.rank == 4


def test_ties_is_pefts_where_weights_are_equal(model, parts):
    rank = 48  # no matrix of these has more, so compression loses nothing
    ones = [(each, 1.0) for each, _ in parts]
    mixed = mixing.mix(ones, "ties", rank, density=0.3)
    path = next(iter(parts[0][0].tensors))
    updates = [update(each, path).float() for each, _ in ones]
    wanted = merge_utils.ties(updates, torch.ones(2), 0.3)
    assert torch.allclose(update(mixed.adapter, path).float(), wanted, atol=1e-4)
    assert mixed.error < 1e-3


def test_ties_elects_a_sign_by_weight():
    up, down = torch.tensor([[1.0, 1.0]]), torch.tensor([[-2.0, 1.0]])
    assert mixing.ties([up, down], 1.0).tolist() == [[-2.0, 1.0]]
    assert mixing.ties([3 * up, down], 1.0).tolist() == [[3.0, 2.0]]


def test_dare_keeps_its_share_made_up_for_and_its_draws_are_the_seeds():
    whole = torch.ones(200, 300)
    kept = mixing.dare([whole], 0.25, torch.Generator().manual_seed(3))
    assert set(kept.unique().tolist()) == {0.0, 4.0}
    assert kept.mean().item() == pytest.approx(1, abs=0.03)
    again, other = (mixing.dare([whole], 0.25, torch.Generator().manual_seed(s)) for s in (3, 4))
    assert torch.equal(kept, again) and not torch.equal(kept, other)
    assert torch.equal(mixing.dare([whole, whole], 1.0, torch.Generator()), 2 * whole)


def test_dare_that_keeps_all_is_the_sum(model, parts):
    kept = mixing.mix(parts, "dare", 48, density=1.0).adapter
    plain = mixing.mix(parts).adapter
    for path in plain.tensors:
        assert torch.allclose(update(kept, path), update(plain, path), atol=1e-4)


def test_an_embedding_among_them_stays_one(model):
    path = "model.embed_tokens"
    pair = (torch.ones(2, 97), torch.ones(32, 2))
    parts = [(Adapter(2, 4.0, {path: pair}, embeddings=frozenset([path])), 0.5), (one(), 0.5)]
    assert mixing.mix(parts).adapter.embeddings == {path}


def one(rank=2, inputs=6):
    return Adapter(rank, 4.0, {PATH: (torch.ones(rank, inputs), torch.ones(5, rank))})


@pytest.mark.parametrize(
    ("parts", "settings", "key"),
    [
        ([], {}, "mix_nothing"),
        ([(one(), float("nan"))], {}, "mix_weight"),
        ([(one(), 1e9)], {}, "mix_weight"),
        ([(one(), 1.0)], {"method": "stir"}, "setting_not_a_choice"),
        ([(one(), 1.0)], {"method": "ties"}, "mix_needs_rank"),
        ([(one(), 1.0)], {"rank": 1025}, "mix_rank"),
        ([(one(600), 1.0), (one(600), 1.0)], {}, "mix_rank"),
        ([(one(), 1.0)], {"rank": 2, "density": 0}, "mix_density"),
        ([(one(), 1.0), (one(inputs=7), 1.0)], {}, "mix_shapes"),
        ([(Adapter(2, 4.0, {}), 1.0)], {}, "mix_no_matrices"),
        ([(replace(one(), prefix=torch.zeros(4, 2, 2, 2, 8)), 1.0)], {}, "mix_prefix"),
        ([(replace(one(), magnitudes={PATH: torch.ones(5)}), 1.0)], {}, "mix_dora"),
    ],
)
def test_what_cannot_be_mixed_is_said(parts, settings, key):
    with lab_error(key):
        mixing.mix(parts, **settings)
