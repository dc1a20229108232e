import copy

import pytest
import torch
from transformers import OPTConfig, OPTForCausalLM

from lora_lab.errors import LabError
from lora_lab.lora import attaching
from lora_lab.lora.adapter import Adapter
from lora_lab.lora.layer import matrix
from lora_lab.lora.targets import resolve
from lora_lab.models.loading import base_hash


def paths_of(model, targets="linear"):
    return resolve(targets, attaching.matrices(model))


def trained(model, name, targets="linear", **settings):
    """An adapter whose B is no longer zero."""
    routing = attaching.attach(model, name, paths_of(model, targets), 4, 8, **settings)
    torch.manual_seed(3)
    for parameter in attaching.trainable_parameters(model, name):
        parameter.data.normal_(std=0.2)
    return routing


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_step_zero_is_the_base_bit_for_bit_and_detaching_gives_it_back(model, ids, dtype):
    model.to(dtype)
    modules = dict(model.named_modules())
    bits = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    whole = base_hash(model)
    grads = [p.requires_grad for p in model.parameters()]
    before = model(ids).logits

    attaching.attach(model, "a", paths_of(model), 4, 8)
    assert torch.equal(model(ids).logits, before)
    assert base_hash(model) == whole
    kept = attaching.base_tensors(model)
    assert kept.keys() == bits.keys()
    assert all(torch.equal(kept[key], bits[key]) for key in bits)

    attaching.detach(model)
    assert dict(model.named_modules()) == modules
    assert all(torch.equal(t, bits[key]) for key, t in model.state_dict().items())
    assert [p.requires_grad for p in model.parameters()] == grads
    assert torch.equal(model(ids).logits, before)


@torch.no_grad()
def test_output_is_that_of_the_sum_of_the_matrices(model, ids):
    summed = copy.deepcopy(model)
    trained(model, "a").all("a", strength=0.5)
    for path, layer in attaching.layers(model):
        pair = layer.get("a")
        matrix(summed.get_submodule(path)).add_(0.5 * (8 / 4) * pair.B @ pair.A)
    assert torch.allclose(model(ids).logits, summed(ids).logits, atol=1e-5)


def test_gradients_are_those_of_plain_autograd(model, ids):
    def gradients(forward):
        model.zero_grad()
        forward().logits.square().mean().backward()
        return [p.grad.clone() for p in attaching.trainable_parameters(model, "a")]

    routing = trained(model, "a")
    routing.all("a", 0.7)
    ours = gradients(lambda: model(ids))
    # Rows that differ in strength take the plain path, so the same strength told as almost equal
    # numbers is an oracle for the hand-written one.
    routing.rows([("a", 0.7), ("a", 0.7), ("a", 0.7 + 1e-9)])
    for mine, plain in zip(ours, gradients(lambda: model(ids)), strict=True):
        assert torch.allclose(mine, plain, rtol=1e-4, atol=1e-7)
    trained_ones = {id(p) for p in attaching.trainable_parameters(model, "a")}
    assert all(p.grad is None for p in model.parameters() if id(p) not in trained_ones)


def test_only_the_adapter_trains_in_float32(model, ids):
    model.to(torch.bfloat16)
    trained(model, "a")
    model(ids).logits.float().square().mean().backward()
    ours = attaching.trainable_parameters(model, "a")
    assert {id(p) for p in model.parameters() if p.requires_grad} == {id(p) for p in ours}
    assert {p.dtype for p in ours} | {p.grad.dtype for p in ours} == {torch.float32}


@torch.no_grad()
def test_rows_choose_their_adapters(llama, ids):
    routing = trained(llama, "a")
    trained(llama, "b", "attention-qv", seed=5)
    alone = {}
    for choice in (None, ("a", 1.0), ("b", 1.0), ("a", -1.0)):
        routing.all(*choice) if choice else routing.off()
        alone[choice] = llama(ids).logits
    mixed = [("a", 1.0), None, ("b", 1.0)]
    routing.rows(mixed)
    for row, logits in enumerate(llama(ids).logits):
        assert torch.allclose(logits, alone[mixed[row]][row], atol=1e-5)
    routing.rows([("a", -1.0), ("b", 0.0), None])
    logits = llama(ids).logits
    assert torch.allclose(logits[0], alone["a", -1.0][0], atol=1e-5)
    assert torch.equal(logits[1:], alone[None][1:]), "strength 0 is the base"


@torch.no_grad()
def test_rows_choose_in_models_that_run_rows_together(ids):
    """OPT hands its MLP [B·T, D]."""
    torch.manual_seed(7)
    config = OPTConfig(
        vocab_size=97, hidden_size=32, ffn_dim=48, num_hidden_layers=1, num_attention_heads=4,
        word_embed_proj_dim=32, attn_implementation="eager",
    )  # fmt: skip
    model = OPTForCausalLM(config).eval()
    routing = trained(model, "a")
    adapted = model(ids).logits
    routing.off()
    base = model(ids).logits
    routing.rows([None, ("a", 1.0), None])
    mixed = model(ids).logits
    assert torch.allclose(mixed[1], adapted[1], atol=1e-5)
    assert torch.allclose(mixed[[0, 2]], base[[0, 2]], atol=1e-6)


@torch.no_grad()
def test_a_row_that_overflows_leaves_the_others_alone(llama, ids):
    routing = trained(llama, "a")
    trained(llama, "b")
    for parameter in attaching.trainable_parameters(llama, "b"):
        parameter *= 1e30
    routing.rows([("a", 1.0), None, None])
    wanted = llama(ids).logits
    routing.rows([("a", 1.0), ("b", 1.0), None])
    found = llama(ids).logits
    assert not found[1].isfinite().all()
    assert torch.allclose(found[[0, 2]], wanted[[0, 2]], atol=1e-6)


def test_an_unknown_name_is_not_taken_for_the_base(llama):
    routing = trained(llama, "a")
    with pytest.raises(KeyError):
        routing.rows([None, ("b", 1.0)])


def test_names_may_hold_dots_and_hide_methods(llama, ids):
    for name in ("v1.2", "forward", "ñ/../x"):
        trained(llama, name)
        assert len(attaching.trainable_parameters(llama, name)) == 28
    attaching.remove(llama, "v1.2")
    assert attaching.trainable_parameters(llama, "v1.2") == []
    assert len(attaching.trainable_parameters(llama, "forward")) == 28


def test_the_start_is_the_seed_s_and_of_the_stated_spread(llama):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        attaching.attach(llama, name, paths_of(llama), 64, 8, seed=seed)
    a, b, c = (attaching.state(llama, name) for name in "abc")
    assert all(torch.equal(a[key], b[key]) for key in a)
    first = "model.layers.0.self_attn.q_proj.A"
    assert not torch.equal(a[first], c[first])
    assert a[first].std() == pytest.approx((3 * 32) ** -0.5, rel=0.05)
    assert all(not t.any() for key, t in a.items() if key.endswith(".B"))


def test_dropout_falls_on_x_in_training_alone(llama, ids):
    trained(llama, "a", dropout=0.5)
    with torch.no_grad():
        assert torch.equal(llama(ids).logits, llama(ids).logits)
    assert not torch.equal(llama(ids).logits, llama(ids).logits)
    x = torch.ones(4000, 32, requires_grad=True)
    layer = llama.model.layers[0].self_attn.q_proj
    pair = layer.get("a")
    torch.manual_seed(0)
    y = layer(x)
    torch.manual_seed(0)
    dropped = torch.nn.functional.dropout(x, 0.5)
    plain = layer.base(x) + 2 * dropped @ pair.A.t() @ pair.B.t()
    assert torch.allclose(y, plain, atol=1e-5)
    for mine, theirs in zip(
        *(torch.autograd.grad(z.square().sum(), (x, pair.A, pair.B)) for z in (y, plain)),
        strict=True,
    ):
        assert torch.allclose(mine, theirs, rtol=1e-3, atol=1e-3)


def test_state_goes_out_and_comes_back_in_place(llama):
    trained(llama, "a")
    kept = {key: tensor.clone() for key, tensor in attaching.state(llama, "a").items()}
    parameters = attaching.trainable_parameters(llama, "a")
    for parameter in parameters:
        parameter.data.zero_()
    attaching.set_state(llama, "a", kept)
    assert all(
        p is q for p, q in zip(parameters, attaching.trainable_parameters(llama, "a"), strict=True)
    )
    assert all(torch.equal(t, kept[key]) for key, t in attaching.state(llama, "a").items())


def test_what_does_not_fit_leaves_the_model_as_it_was(llama):
    modules = dict(llama.named_modules())
    fits = {"model.layers.0.mlp.up_proj": (torch.zeros(2, 32), torch.zeros(48, 2))}
    for path, pair, key in (
        (
            "model.layers.1.mlp.up_proj",
            (torch.zeros(2, 31), torch.zeros(48, 2)),
            "adapter_does_not_fit",
        ),
        (
            "model.layers.9.mlp.up_proj",
            (torch.zeros(2, 32), torch.zeros(48, 2)),
            "target_not_a_matrix",
        ),
        ("model.embed_tokens", (torch.zeros(2, 32), torch.zeros(97, 2)), "target_not_a_matrix"),
    ):
        with pytest.raises(LabError) as caught:
            attaching.add(llama, "x", Adapter(2, 4, {**fits, path: pair}))
        assert caught.value.key == key
        assert dict(llama.named_modules()) == modules
