"""peft's prefix tuning must agree with the lab's own, alone and with LoRA beside it."""

import copy
from dataclasses import replace

import peft
import pytest
import torch
import transformers

from lora_lab.lora import attaching, peft_format, prefix
from lora_lab.lora.adapter import Adapter
from lora_lab.lora.targets import resolve
from lora_lab.models import lean, prefixed
from tests.integration.test_peft_oracle import RANK, descend, gpt2, llama

TOKENS = 5
SIZES = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "attn_implementation": "eager",
}
OPT = {"ffn_dim": 48, "word_embed_proj_dim": 32}


def of(name, **more):
    told = {key: value for key, value in (SIZES | more).items() if value is not None}
    config = getattr(transformers, f"{name}Config")(**told)
    return lambda: getattr(transformers, f"{name}ForCausalLM")(config)


OTHERS = {
    "qwen3": of("Qwen3", head_dim=16),
    "mistral-windowed": of("Mistral", sliding_window=8),
    "neox": of("GPTNeoX", num_key_value_heads=None),
    "gemma2": of("Gemma2", head_dim=8, sliding_window=8, final_logit_softcapping=2.0),
    "opt": of("OPT", dropout=0.0, num_key_value_heads=None, **OPT),
    "phi": of("Phi"),
}


@pytest.fixture(params=[llama, gpt2, *OTHERS.values()], ids=["llama", "gpt2", *OTHERS])
def base(request, tmp_path):
    torch.manual_seed(11)
    model = request.param().eval()
    model.save_pretrained(tmp_path / "base")
    return model


@pytest.fixture
def batches():
    """Twelve steps over the same three batches [4, 13], half of the tokens supervised."""
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(0, 97, (3, 4, 13), generator=generator)
    supervised = torch.rand(ids.shape, generator=generator) < 0.5
    return list(zip(ids, supervised, strict=True)) * 4


def theirs(model):
    torch.manual_seed(3)
    config = peft.PrefixTuningConfig(num_virtual_tokens=TOKENS, task_type="CAUSAL_LM")
    return peft.get_peft_model(copy.deepcopy(model), config)


def prefix_of(peers, model):
    """peft's trained tensor, as the lab holds it."""
    layers, heads, width = prefix.shape(model)
    flat = peers.prompt_encoder["default"].embedding.weight
    return flat.detach().clone().view(TOKENS, layers, 2, heads, width)


def curve(model, name, batches):
    def losses():
        for ids, supervised in batches:
            loss, count = lean.supervised_loss(model, ids, supervised)
            yield loss / count

    return descend(attaching.trainable_parameters(model, name), losses)


def test_same_start_batches_and_optimiser_give_the_same_loss_curve(base, batches):
    peers = theirs(base)
    attaching.add(base, "p", Adapter(0, 0, {}, prefix=prefix_of(peers, base)))

    def their_losses():
        for ids, supervised in batches:
            yield peers(ids, labels=ids.masked_fill(~supervised, -100)).loss

    wanted = descend([p for p in peers.parameters() if p.requires_grad], their_losses)
    found = curve(base, "p", batches)
    assert found == pytest.approx(wanted, abs=1e-5)
    assert sum(found[-3:]) < sum(found[:3]), "something was learnt"


def test_lora_and_prefix_together_learn_as_peft_s_two_nested(base, batches):
    """The inner one is peft's LoRA, frozen by the outer one's making and thawed again."""
    targets = resolve("attention", attaching.matrices(base))
    config = peft.LoraConfig(
        r=RANK,
        lora_alpha=8,
        target_modules=targets,
        fan_in_fan_out=type(base).__name__.startswith("GPT2"),
    )
    torch.manual_seed(4)
    nested = theirs(peft.get_peft_model(copy.deepcopy(base), config))
    trained = [p for n, p in nested.named_parameters() if "lora_" in n or "prompt_encoder" in n]
    for parameter in trained:
        parameter.requires_grad_(True)
    named = dict(nested.named_parameters())
    sides = {
        path: tuple(
            next(p for n, p in named.items() if f"{path}.lora_{side}" in n).detach().clone()
            for side in "AB"
        )
        for path in targets
    }
    attaching.add(base, "both", Adapter(RANK, 8, sides, prefix=prefix_of(nested, base)))

    def their_losses():
        for ids, supervised in batches:
            yield nested(ids, labels=ids.masked_fill(~supervised, -100)).loss

    wanted = descend(trained, their_losses)
    assert curve(base, "both", batches) == pytest.approx(wanted, abs=1e-5)


def ours(model, ids):
    """Logits of rows that all see the prefix."""
    return model(input_ids=ids, use_cache=False, **prefixed.past(model, len(ids))).logits


@torch.no_grad()
@pytest.mark.parametrize("base", [llama, gpt2], indirect=True)
def test_their_prefix_loads_here(base, batches, tmp_path):
    peers = theirs(base)
    peers.save_pretrained(tmp_path / "theirs")
    attaching.add(base, "p", peft_format.load(tmp_path / "theirs"))
    ids = batches[0][0]
    assert torch.allclose(ours(base, ids), peers(ids).logits, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("base", [llama, gpt2], indirect=True)
def test_our_prefix_loads_there(base, batches, tmp_path):
    made = Adapter(0, 0, {}, prefix=prefix.gaussian(base, TOKENS, seed=9))
    peft_format.save(tmp_path / "ours", made, str(tmp_path / "base"), {})
    attaching.add(base, "p", peft_format.load(tmp_path / "ours"))
    peers = peft.AutoPeftModelForCausalLM.from_pretrained(tmp_path / "ours").eval()
    ids = batches[0][0]
    assert torch.allclose(ours(base, ids), peers(ids).logits, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("base", [llama, gpt2], indirect=True)
def test_our_lora_with_prefix_loads_there_one_upon_the_other(base, batches, tmp_path):
    paths = resolve("attention", attaching.matrices(base))
    attaching.attach(base, "a", paths, RANK, 8)
    for parameter in attaching.trainable_parameters(base, "a"):
        parameter.normal_(std=0.2, generator=torch.Generator().manual_seed(6))
    both = replace(attaching.extract(base, "a"), prefix=prefix.gaussian(base, TOKENS, seed=9))
    folder = tmp_path / "ours"
    peft_format.save(folder, both, str(tmp_path / "base"), {})
    attaching.add(base, "a", peft_format.load(folder))
    inner = peft.AutoPeftModelForCausalLM.from_pretrained(folder)
    peers = peft.PeftModel.from_pretrained(inner, folder / "prefix").eval()
    ids = batches[0][0]
    assert torch.allclose(ours(base, ids), peers(ids).logits, atol=1e-4)
