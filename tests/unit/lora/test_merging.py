import pytest
import torch

from lora_lab.lora import attaching, merging
from lora_lab.lora.adapter import Adapter
from lora_lab.lora.targets import resolve
from tests.expecting import lab_error
from tests.unit.lora.conftest import tiny_llama


def adapter(model, paths):
    draws = torch.Generator().manual_seed(2)
    sizes = attaching.matrices(model)
    tensors = {
        path: (
            torch.randn(3, sizes[path][0], generator=draws) * 0.3,
            torch.randn(sizes[path][1], 3, generator=draws) * 0.3,
        )
        for path in paths
    }
    return Adapter(3, 5.0, tensors, rank_stabilised=True)


@torch.no_grad()
def test_merged_is_unmerged(model, ids):
    everywhere = adapter(model, resolve("linear", attaching.matrices(model)))
    attaching.add(model, "a", everywhere)
    unmerged = model(ids).logits
    attaching.detach(model)
    base = model(ids).logits
    shapes = {name: t.shape for name, t in model.state_dict().items()}
    merging.merge(model, everywhere)
    merged = model(ids).logits
    assert torch.allclose(merged, unmerged, atol=4e-5)
    assert not torch.allclose(merged, base, atol=1e-2)
    assert {name: t.shape for name, t in model.state_dict().items()} == shapes
    assert not list(attaching.layers(model))


@torch.no_grad()
def test_a_tied_embedding_stays_tied_and_untouched(ids):
    model = tiny_llama(tie_word_embeddings=True)
    embedding = model.get_input_embeddings().weight.clone()
    merging.merge(model, adapter(model, ["model.layers.0.mlp.up_proj"]))
    assert model.lm_head.weight is model.get_input_embeddings().weight
    assert torch.equal(model.lm_head.weight, embedding)
    before = model(ids).logits
    with lab_error("embeddings_tied"):
        merging.merge(model, adapter(model, ["model.layers.1.mlp.up_proj", "lm_head"]))
    assert torch.equal(model(ids).logits, before)


def test_an_untied_head_is_merged():
    model = tiny_llama(tie_word_embeddings=False)
    before = model.lm_head.weight.clone()
    one = adapter(model, ["lm_head"])
    merging.merge(model, one)
    A, B = one.tensors["lm_head"]
    assert torch.allclose(model.lm_head.weight, before + one.scaling("lm_head") * B @ A, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("path", ["model.layers.0.mlp.up_proj", "model.layers.9.mlp.up_proj"])
def test_what_does_not_fit_leaves_the_model_as_it_was(llama, ids, path):
    before = llama(ids).logits
    odd = Adapter(2, 4, {path: (torch.ones(2, 31), torch.ones(48, 2))})
    known = path in attaching.matrices(llama)
    with lab_error("adapter_does_not_fit" if known else "target_not_a_matrix"):
        merging.merge(llama, odd)
    assert torch.equal(llama(ids).logits, before)
    with lab_error("mix_no_matrices"):
        merging.merge(llama, Adapter(2, 4, {}))
