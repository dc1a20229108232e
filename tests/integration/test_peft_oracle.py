"""peft, the library most adapters are made with, must agree with the lab's own LoRA."""

import copy

import peft
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from lora_lab.lora import attaching, peft_format
from lora_lab.lora.targets import resolve
from lora_lab.models import lean

RANK, ALPHA = 4, 8


def llama():
    config = LlamaConfig(
        vocab_size=97,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        attn_implementation="eager",
    )
    return LlamaForCausalLM(config)


def gpt2():
    # peft trains in training mode, where GPT-2 would drop at random.
    config = GPT2Config(
        vocab_size=97, n_embd=32, n_layer=2, n_head=4, attn_implementation="eager",
        resid_pdrop=0, embd_pdrop=0, attn_pdrop=0,
    )  # fmt: skip
    return GPT2LMHeadModel(config)


@pytest.fixture(params=[llama, gpt2])
def base(request, tmp_path):
    torch.manual_seed(11)
    model = request.param().eval()
    model.save_pretrained(tmp_path / "base")
    return model


@pytest.fixture
def ids():
    """Twenty steps over the same four batches [4, 13], so that there is something to learn."""
    batches = torch.randint(0, 97, (4, 4, 13), generator=torch.Generator().manual_seed(2))
    return batches.repeat(5, 1, 1)


def theirs(model, targets="linear", **settings):
    config = peft.LoraConfig(
        r=RANK,
        lora_alpha=ALPHA,
        target_modules=resolve(targets, attaching.matrices(model)),
        fan_in_fan_out=isinstance(model, GPT2LMHeadModel),
        task_type="CAUSAL_LM",
        **settings,
    )
    return peft.get_peft_model(copy.deepcopy(model), config)


def randomise(model):
    torch.manual_seed(5)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data.normal_(std=0.2)


def descend(parameters, losses):
    optimizer = torch.optim.AdamW(parameters, lr=1e-2, weight_decay=0.01)
    curve = []
    for loss in losses():
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append(loss.item())
    return curve


@pytest.mark.parametrize("targets", ["attention-qv", "linear"])
def test_same_start_batches_and_optimiser_give_the_same_loss_curve(base, ids, targets, tmp_path):
    peers = theirs(base, targets)
    peers.save_pretrained(tmp_path / "start")
    attaching.add(base, "a", peft_format.load(tmp_path / "start"))
    draw = torch.rand(ids[:4].shape, generator=torch.Generator().manual_seed(4))
    supervised = (draw < 0.5).repeat(5, 1, 1)

    def their_losses():
        for batch, counted in zip(ids, supervised, strict=True):
            yield peers(batch, labels=batch.masked_fill(~counted, -100)).loss

    def our_losses():
        for batch, counted in zip(ids, supervised, strict=True):
            loss, count = lean.supervised_loss(base, batch, counted)
            yield loss / count

    wanted = descend([p for p in peers.parameters() if p.requires_grad], their_losses)
    found = descend(attaching.trainable_parameters(base, "a"), our_losses)
    assert found == pytest.approx(wanted, abs=1e-5)
    assert sum(found[-4:]) < sum(found[:4]) - 0.01, "something was learnt"


@torch.no_grad()
def test_their_file_loads_here(base, ids, tmp_path):
    peers = theirs(
        base,
        use_rslora=True,
        rank_pattern={"mlp.down_proj": 7, r"h\.\d+\.mlp\.c_proj": 3},
        alpha_pattern={"q_proj": 3, "c_attn": 5},
    )
    randomise(peers)
    peers.save_pretrained(tmp_path / "peers")
    attaching.add(base, "a", peft_format.load(tmp_path / "peers"))
    assert torch.allclose(base(ids[0]).logits, peers(ids[0]).logits, atol=1e-4)


@torch.no_grad()
def test_our_file_loads_there(base, ids, tmp_path):
    attaching.attach(base, "a", resolve("linear", attaching.matrices(base)), RANK, ALPHA)
    torch.manual_seed(6)
    for parameter in attaching.trainable_parameters(base, "a"):
        parameter.normal_(std=0.2)
    folder = tmp_path / "ours"
    peft_format.save(folder, attaching.extract(base, "a"), str(tmp_path / "base"), {})
    peers = peft.AutoPeftModelForCausalLM.from_pretrained(folder).eval()
    assert torch.allclose(base(ids[0]).logits, peers(ids[0]).logits, atol=1e-4)


@torch.no_grad()
def test_a_loaded_adapter_saved_again_still_loads_there(base, ids, tmp_path):
    """Ranks and alphas of their own survive the way through the lab."""
    peers = theirs(base, rank_pattern={"down_proj": 7, "c_fc": 3}, alpha_pattern={"v_proj": 3})
    randomise(peers)
    peers.save_pretrained(tmp_path / "peers")
    attaching.add(base, "a", peft_format.load(tmp_path / "peers"))
    folder = tmp_path / "again"
    peft_format.save(folder, attaching.extract(base, "a"), str(tmp_path / "base"), {})
    again = peft.AutoPeftModelForCausalLM.from_pretrained(folder).eval()
    assert torch.allclose(again(ids[0]).logits, peers(ids[0]).logits, atol=1e-4)
