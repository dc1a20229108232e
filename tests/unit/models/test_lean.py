"""The lean forward against transformers' own and plain autograd."""

import pytest
import torch
import transformers
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

from lora_lab.lora import attaching
from lora_lab.lora.targets import resolve
from lora_lab.models import lean
from lora_lab.models.functions import Attention, HeadLoss, RMSNorm, SwiGLU

SIZES = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "attn_implementation": "eager",
}
GPT2 = {"vocab_size": 97, "n_embd": 32, "n_layer": 2, "n_head": 4, "attn_implementation": "eager"}
FAMILY = {
    "Llama": SIZES,
    "Mistral": SIZES | {"sliding_window": 4096},
    "Qwen2": SIZES,
    "Qwen3": SIZES | {"head_dim": 8},
}
OTHERS = {
    "GPT2": GPT2,
    "GPTNeoX": {key: value for key, value in SIZES.items() if "key_value" not in key},
    "Gemma2": SIZES | {"head_dim": 8, "final_logit_softcapping": 2.0, "sliding_window": 4},
    "Phi": SIZES,
    "OPT": {
        "vocab_size": 97,
        "hidden_size": 32,
        "word_embed_proj_dim": 16,
        "ffn_dim": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "attn_implementation": "eager",
    },
}


def build(name, dtype=torch.float32, targets="linear", **changes):
    """A tiny random model of this name, with an adapter whose B is not zero."""
    torch.manual_seed(3)
    settings = FAMILY.get(name) or OTHERS[name]
    config = getattr(transformers, f"{name}Config")(**settings, **changes)
    head = "GPT2LMHeadModel" if name == "GPT2" else f"{name}ForCausalLM"
    model = getattr(transformers, head)(config).to(dtype).eval()
    for parameter in model.parameters():
        if parameter.ndim == 1:
            parameter.data.add_(0.3 * torch.randn_like(parameter))  # norms and biases that tell
    attaching.attach(model, "a", resolve(targets, attaching.matrices(model)), 4, 8)
    for parameter in attaching.trainable_parameters(model, "a"):
        parameter.data.normal_(std=0.2)
    return model


def rows(lengths=(13, 9, 4), share=0.5):
    """Right-padded ids and what is supervised; the padding holds arbitrary tokens."""
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(0, 97, (len(lengths), max(lengths)), generator=generator)
    supervised = torch.rand(ids.shape, generator=generator) < share
    for row, length in enumerate(lengths):
        supervised[row, length:] = False
    return ids, supervised


def plain_loss(model, ids, supervised):
    """Row by row and unpadded, through transformers' own forward."""
    total = 0
    for row, counted in zip(ids, supervised, strict=True):
        end = int(counted.nonzero().max()) + 1 if counted.any() else 1
        logits = model(input_ids=row[None, :end], use_cache=False).logits[0, :-1]
        wanted = counted[1:end]
        total = total + cross_entropy(logits[wanted].float(), row[1:end][wanted], reduction="sum")
    return total


def gradient(model, loss):
    model.zero_grad()
    loss.backward()
    return torch.cat([p.grad.flatten() for p in attaching.trainable_parameters(model, "a")])


@pytest.mark.parametrize("targets", ["attention-qv", "linear"])
@pytest.mark.parametrize("name", [*FAMILY, *OTHERS])
def test_loss_and_gradients_are_the_model_s_own(name, targets):
    model = build(name, targets=targets)
    ids, supervised = rows()
    loss, count = lean.supervised_loss(model, ids, supervised)
    plain = plain_loss(model, ids, supervised)
    assert count == int(supervised[:, 1:].sum())
    assert loss.item() == pytest.approx(plain.item(), rel=1e-5)
    ours, theirs = gradient(model, loss), gradient(model, plain)
    assert (ours - theirs).norm() < 1e-4 * theirs.norm()


@pytest.mark.parametrize("name", FAMILY)
def test_the_family_takes_the_hand_written_path(name, monkeypatch):
    model = build(name)
    monkeypatch.setattr(type(model.base_model), "forward", None)
    monkeypatch.setattr(lean, "_head_is_plain", lambda model: True)
    assert lean.supervised_loss(model, *rows())[0].isfinite()


def test_bfloat16_strays_no_further_than_transformers_own():
    """Both are compared with float32: each rounds, in other places."""
    ids, supervised = rows((40, 38, 33, 21), 0.8)
    truth = build("Llama")
    model = build("Llama", torch.bfloat16)
    loss = plain_loss(truth, ids, supervised)
    right = gradient(truth, loss)
    losses, strays = [], []
    for forward in (plain_loss, lambda *given: lean.supervised_loss(*given)[0]):
        found = forward(model, ids, supervised)
        losses.append(abs(found.item() - loss.item()) / loss.item())
        strays.append(((gradient(model, found) - right).norm() / right.norm()).item())
    assert losses[1] < 2e-3
    assert strays[1] < 0.05
    assert strays[1] < 1.3 * strays[0]


def test_hidden_states_are_the_model_s_own():
    model = build("Llama")
    ids, _ = rows((13, 13))
    own = model.model(input_ids=ids, use_cache=False).last_hidden_state
    assert torch.allclose(lean.hidden_states(model, ids), own, atol=1e-5)


@pytest.mark.parametrize("name", ["Llama", "GPT2"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_stands_in_the_padding_changes_no_bit(name, dtype):
    model = build(name, dtype)
    ids, supervised = rows()
    other = ids.clone()
    for row, length in enumerate((13, 9, 4)):
        other[row, length:] = 0
    first, second = (lean.supervised_loss(model, x, supervised)[0] for x in (ids, other))
    assert torch.equal(first, second)
    assert torch.equal(gradient(model, first), gradient(model, second))


def test_repeats_are_bit_equal():
    model = build("Llama", torch.bfloat16)
    ids, supervised = rows((40, 31, 17, 5))
    runs = [gradient(model, lean.supervised_loss(model, ids, supervised)[0]) for _ in range(3)]
    assert torch.equal(runs[0], runs[1]) and torch.equal(runs[1], runs[2])


def test_a_base_that_trains_gets_its_gradients():
    model = build("Llama").requires_grad_(True)
    found = []
    for forward in (plain_loss, lambda *given: lean.supervised_loss(*given)[0]):
        model.zero_grad()
        forward(model, *rows()).backward()
        found.append(model.model.norm.weight.grad.clone())
    assert torch.allclose(*found, rtol=1e-4, atol=1e-5)


def test_nothing_supervised_is_no_loss():
    model = build("Llama")
    ids, _ = rows()
    loss, count = lean.supervised_loss(model, ids, torch.zeros_like(ids, dtype=torch.bool))
    assert (loss.item(), count) == (0.0, 0)
    loss.backward()


def test_rows_that_supervise_nothing_are_passed_over():
    model = build("Llama")
    ids, supervised = rows()
    supervised[1] = False
    loss, count = lean.supervised_loss(model, ids, supervised)
    alone, fewer = lean.supervised_loss(model, ids[[0, 2]], supervised[[0, 2]])
    assert count == fewer
    assert loss.item() == pytest.approx(alone.item(), rel=1e-5)


def test_the_loss_of_an_untrained_pass_keeps_nothing():
    model = build("Llama")
    with torch.no_grad():
        loss, _ = lean.supervised_loss(model, *rows())
    assert not loss.requires_grad
    assert loss.item() == pytest.approx(plain_loss(model, *rows()).item(), rel=1e-5)


def double(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()


def test_rms_norm_by_finite_differences():
    weight = double(6).detach()
    assert torch.autograd.gradcheck(lambda x: RMSNorm.apply(x, weight, 1e-5), double(4, 6))


def test_swiglu_by_finite_differences():
    assert torch.autograd.gradcheck(SwiGLU.apply, (double(3, 5), double(3, 5, seed=1)))


def test_attention_by_finite_differences():
    angles = double(3, 2, seed=9).detach().repeat(1, 2)
    mask = torch.full((3, 3), -torch.inf, dtype=torch.float64).triu_(1)

    def attention(q, k, v):
        return Attention.apply(q, k, v, angles.cos(), angles.sin(), mask, 0.7, None)

    heads = double(2, 3, 4, 4), double(2, 3, 2, 4, seed=1), double(2, 3, 2, 4, seed=2)
    assert torch.autograd.gradcheck(attention, heads)


def test_attention_to_a_prefix_by_finite_differences():
    angles = double(3, 2, seed=3).detach().repeat(1, 2)
    mask = torch.full((3, 5), -torch.inf, dtype=torch.float64).triu_(3)

    def attention(q, k, v, prefix):
        return Attention.apply(q, k, v, angles.cos(), angles.sin(), mask, 0.7, prefix)

    heads = double(2, 3, 4, 4), double(2, 3, 2, 4, seed=1), double(2, 3, 2, 4, seed=2)
    prefix = double(2, 2, 2, 4, seed=4)
    assert torch.autograd.gradcheck(attention, (*heads, prefix))
    still = [head.detach() for head in heads]
    assert torch.autograd.gradcheck(lambda prefix: attention(*still, prefix), prefix)


def test_attention_is_torch_s_own_without_rotation():
    q, k, v = double(2, 5, 4, 8), double(2, 5, 2, 8, seed=1), double(2, 5, 2, 8, seed=2)
    mask = torch.full((5, 5), -torch.inf, dtype=torch.float64).triu_(1)
    still, turned = torch.ones(5, 8, dtype=torch.float64), torch.zeros(5, 8, dtype=torch.float64)
    ours = Attention.apply(q, k, v, still, turned, mask, 8**-0.5, None)
    theirs = scaled_dot_product_attention(
        *(z.transpose(1, 2) for z in (q, k, v)), is_causal=True, enable_gqa=True
    )
    assert torch.allclose(ours, theirs.transpose(1, 2))


def test_head_loss_is_cross_entropy_however_it_is_cut(monkeypatch):
    x, weight = double(11, 6), double(23, 6, seed=1).detach()
    targets = torch.randint(0, 23, (11,), generator=torch.Generator().manual_seed(2))
    plain = cross_entropy(x @ weight.t(), targets, reduction="sum")
    (wanted,) = torch.autograd.grad(3 * plain, x)
    monkeypatch.setattr("lora_lab.models.functions.ROWS_AT_LEAST", 1)
    for at_once, softmax_at_once in ((1, 1), (23 * 4, 23 * 3), (10**6, 10**6)):
        monkeypatch.setattr("lora_lab.models.functions.LOGITS_AT_ONCE", at_once)
        monkeypatch.setattr("lora_lab.models.functions.SOFTMAX_AT_ONCE", softmax_at_once)
        loss = HeadLoss.apply(x, weight, targets)
        assert loss.item() == pytest.approx(plain.item())
        assert torch.allclose(torch.autograd.grad(3 * loss, x)[0], wanted)


def test_head_loss_bears_logits_that_overflow_exp():
    x = torch.tensor([[1000.0, 0.0]])
    loss = HeadLoss.apply(x, torch.eye(2), torch.tensor([1]))
    assert loss.item() == 1000.0
