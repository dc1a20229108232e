import pytest
import torch

from lora_lab.lora import attaching, dora
from lora_lab.lora.base import matrix
from lora_lab.lora.targets import resolve


def attached(model, name="a", **settings):
    paths = resolve("linear", attaching.matrices(model))
    return attaching.attach(model, name, paths, 4, 8, with_magnitudes=True, **settings)


@torch.no_grad()
def disturb(model, name="a", seed=3):
    draws = torch.Generator().manual_seed(seed)
    for parameter in attaching.trainable_parameters(model, name):
        parameter += 0.2 * torch.randn(parameter.shape, generator=draws)


def plainly(W0, A, B, s, m, x, b):
    """Equation 5 of the paper, with its V formed whole."""
    V = W0 + s * B @ A
    y = x @ (m[:, None] * V / V.norm(dim=1, keepdim=True)).t()
    return y if b is None else y + b


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_the_start_is_the_base_bit_for_bit(model, ids, dtype):
    model.to(dtype)
    before = model(ids).logits
    attached(model)
    assert torch.equal(model(ids).logits, before)
    disturb(model)
    assert not torch.equal(model(ids).logits, before)


@torch.no_grad()
def test_each_output_is_the_paper_s(model, ids):
    routing = attached(model)
    disturb(model)
    for _, layer in attaching.layers(model):
        pair, W0, b = layer.get("a"), matrix(layer.base), getattr(layer.base, "bias", None)
        x = torch.randn(3, 5, W0.shape[1])
        wanted = plainly(W0, pair.A, pair.B, 2.0, pair.magnitude, x, b)
        assert torch.allclose(layer(x), wanted, atol=1e-5)
        routing.all("a", 0.3)
        part_of_the_way = layer.base(x) + 0.3 * (wanted - layer.base(x))
        assert torch.allclose(layer(x), part_of_the_way, atol=1e-5)
        routing.all("a")


@torch.no_grad()
def test_lengths_are_those_of_the_whole_sum():
    W0, A, B = torch.randn(9, 7), torch.randn(3, 7), torch.randn(9, 3)
    whole = (W0 + 0.7 * B @ A).norm(dim=1)
    assert torch.allclose(dora.lengths(W0, A, B, 0.7), whole, rtol=1e-5)
    nothing = torch.zeros(9, 7)
    assert dora.gain(torch.zeros(9), nothing, A, 0 * B, 0.7).isfinite().all()


def test_no_gradient_goes_through_the_lengths(model, ids):
    """Section 4.3: ‖V‖ is a constant to the backward pass; m, A and B all get their gradient."""
    attached(model)
    disturb(model)
    _, layer = next(attaching.layers(model))
    pair, W0 = layer.get("a"), matrix(layer.base)
    x = torch.randn(6, W0.shape[1])
    lengths = (W0 + 2 * pair.B @ pair.A).norm(dim=1).detach()
    plain = (x @ (W0 + 2 * pair.B @ pair.A).t()) * (pair.magnitude / lengths)
    parameters = [pair.A, pair.B, pair.magnitude]
    for mine, theirs in zip(
        *(torch.autograd.grad(y.square().sum(), parameters) for y in (_unbiased(layer, x), plain)),
        strict=True,
    ):
        assert torch.allclose(mine, theirs, rtol=1e-3, atol=1e-4)


def _unbiased(layer, x):
    b = getattr(layer.base, "bias", None)
    return layer(x) if b is None else layer(x) - b


def test_dropout_falls_on_all_that_is_multiplied(llama):
    """As peft does it: the base's own part sees the whole x, what DoRA adds sees the dropped."""
    attached(llama, dropout=0.5)
    disturb(llama)
    llama.train()
    _, layer = next(attaching.layers(llama))
    pair, W0, x = layer.get("a"), matrix(layer.base), torch.randn(50, 32)
    torch.manual_seed(0)
    y = layer(x)
    torch.manual_seed(0)
    dropped = torch.nn.functional.dropout(x, 0.5)
    wanted = x @ W0.t() + plainly(W0, pair.A, pair.B, 2.0, pair.magnitude, dropped, None)
    assert torch.allclose(y, wanted - dropped @ W0.t(), atol=1e-4)


@torch.no_grad()
def test_rows_of_dora_and_of_lora_stand_in_one_batch(model, ids):
    routing = attached(model)
    disturb(model)
    paths = resolve("attention", attaching.matrices(model))
    attaching.attach(model, "plain", paths, 2, 4, init="both-gaussian", seed=1)
    columns = [("a", 1.0), ("plain", 0.5), None, ("a", -0.5), ("a", 1.0)]
    five = torch.cat([ids, ids])[:5]
    alone = {}
    for column in set(columns):
        routing.all(*column) if column else routing.off()
        alone[column] = model(five).logits
    routing.rows(columns)
    together = model(five).logits
    for row, column in enumerate(columns):
        assert torch.allclose(together[row], alone[column][row], atol=1e-5)


@torch.no_grad()
def test_what_was_kept_for_the_lengths_is_made_anew_when_the_adapter_changes(llama, ids):
    attached(llama)
    before = llama(ids).logits
    disturb(llama)
    changed = llama(ids).logits
    with torch.enable_grad():
        assert torch.allclose(llama(ids).logits, changed, atol=1e-6)
    assert not torch.allclose(changed, before, atol=1e-3)


def test_a_step_of_the_training_s_optimiser_changes_what_is_measured_after_it(llama, ids):
    """AdamW's fused kernel changes a tensor without telling its version."""
    attached(llama)
    optimizer = torch.optim.AdamW(attaching.trainable_parameters(llama, "a"), lr=0.1, fused=True)

    def measured():
        with torch.no_grad():
            return llama(ids).logits

    measured()
    for _ in range(2):
        llama(ids).logits.square().mean().backward()
        optimizer.step()
        assert torch.allclose(measured(), llama(ids).logits, atol=1e-6)
