"""peft's prefix tuning must agree with the lab's own, alone and with LoRA beside it."""

import copy
from dataclasses import replace

import peft
import pytest
import torch

from lora_lab.lora import attaching, peft_format, prefix
from lora_lab.lora.adapter import Adapter
from lora_lab.lora.targets import resolve
from lora_lab.models import prefixed
from tests.integration import peers as beside
from tests.integration.peers import ALPHA, RANK

TOKENS = 5
FAMILIES = ["llama", "gpt2", "qwen3", "mistral", "gpt_neox", "gemma2", "opt", "phi"]


@pytest.fixture(params=FAMILIES)
def base(request, tmp_path):
    return beside.base(request.param, tmp_path / "base")


def theirs(model):
    torch.manual_seed(3)
    config = peft.PrefixTuningConfig(num_virtual_tokens=TOKENS, task_type="CAUSAL_LM")
    return peft.get_peft_model(copy.deepcopy(model), config)


def prefix_of(peers, model):
    """peft's trained tensor, as the lab holds it."""
    layers, heads, width = prefix.shape(model)
    flat = peers.prompt_encoder["default"].embedding.weight
    return flat.detach().clone().view(TOKENS, layers, 2, heads, width)


def test_same_start_batches_and_optimiser_give_the_same_loss_curve(base):
    peers, batches = theirs(base), beside.batches()
    attaching.add(base, "a", Adapter(0, 0, {}, prefix=prefix_of(peers, base)))
    wanted = beside.their_curve(peers, batches)
    assert beside.our_curve(base, batches) == pytest.approx(wanted, abs=1e-5)


def test_lora_and_prefix_together_learn_as_peft_s_two_nested(base, tmp_path):
    """The inner one is peft's LoRA, frozen by the outer one's making and thawed again."""
    inner, batches = beside.lora(base, "attention"), beside.batches()
    inner.save_pretrained(tmp_path / "inner")
    nested = theirs(inner)
    for name, parameter in nested.named_parameters():
        parameter.requires_grad_("lora_" in name or "prompt_encoder" in name)
    lora = peft_format.load(tmp_path / "inner")
    attaching.add(base, "a", replace(lora, prefix=prefix_of(nested, base)))
    wanted = beside.their_curve(nested, batches)
    assert beside.our_curve(base, batches) == pytest.approx(wanted, abs=1e-5)


@torch.no_grad()
def assert_same_answers(model, peers):
    """Of rows that all see the prefix."""
    ids, _ = beside.batches()[0]
    past = prefixed.past(model, len(ids))
    ours = model(input_ids=ids, use_cache=False, **past).logits
    assert torch.allclose(ours, peers(ids).logits, atol=1e-4)


@pytest.mark.parametrize("base", ["llama", "gpt2"], indirect=True)
def test_their_prefix_loads_here(base, tmp_path):
    peers = theirs(base)
    beside.put_theirs_on(base, peers, tmp_path / "theirs")
    assert_same_answers(base, peers)


@pytest.mark.parametrize("base", ["llama", "gpt2"], indirect=True)
def test_our_prefix_loads_there(base, tmp_path):
    attaching.add(base, "a", Adapter(0, 0, {}, prefix=prefix.gaussian(base, TOKENS, seed=9)))
    assert_same_answers(base, beside.read_there(base, tmp_path / "ours", tmp_path / "base"))


@torch.no_grad()
@pytest.mark.parametrize("base", ["llama", "gpt2"], indirect=True)
def test_our_lora_with_prefix_loads_there_one_upon_the_other(base, tmp_path):
    paths = resolve("attention", attaching.matrices(base))
    attaching.attach(base, "a", paths, RANK, ALPHA)
    for parameter in attaching.trainable_parameters(base, "a"):
        parameter.normal_(std=0.2, generator=torch.Generator().manual_seed(6))
    both = replace(attaching.extract(base, "a"), prefix=prefix.gaussian(base, TOKENS, seed=9))
    folder = tmp_path / "ours"
    peft_format.save(folder, both, str(tmp_path / "base"), {})
    attaching.add(base, "a", peft_format.load(folder))
    inner = peft.AutoPeftModelForCausalLM.from_pretrained(folder)
    assert_same_answers(base, peft.PeftModel.from_pretrained(inner, folder / "prefix").eval())
