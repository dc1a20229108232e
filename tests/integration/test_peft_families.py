"""peft must agree with the lab on each family of models: loss curve, logits, both files."""

import copy

import peft
import pytest
import torch

from lora_lab.lora import attaching, peft_format
from lora_lab.lora.targets import resolve
from lora_lab.models import lean
from tests import tiny_models

RANK, ALPHA, STEPS = 4, 8, 12
FAMILIES = ["llama", "qwen2", "qwen3", "gpt2", "gpt_neox", "gemma", "gemma3_text", "opt", "phi"]


@pytest.fixture(params=FAMILIES)
def base(request, tmp_path):
    """peft trains in training mode, where some families would drop at random."""
    model = tiny_models.save(request.param, tmp_path / "base")
    model.config.layerdrop = 0.0
    for module in model.modules():
        for name in ("dropout", "attention_dropout", "layerdrop"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


@pytest.fixture
def ids():
    """Batches [4, 13]: four of them, again and again, so that there is something to learn."""
    batches = torch.randint(2, 400, (4, 4, 13), generator=torch.Generator().manual_seed(2))
    return batches.repeat(STEPS // 4, 1, 1)


def theirs(model, targets, **settings):
    config = peft.LoraConfig(
        r=RANK,
        lora_alpha=ALPHA,
        target_modules=resolve(targets, attaching.matrices(model)),
        fan_in_fan_out=model.config.model_type == "gpt2",
        task_type="CAUSAL_LM",
        **settings,
    )
    torch.manual_seed(8)
    return peft.get_peft_model(copy.deepcopy(model), config)


def descend(parameters, losses):
    optimizer = torch.optim.AdamW(parameters, lr=1e-2)
    told = []
    for loss in losses:
        optimizer.zero_grad()
        now = loss()
        now.backward()
        optimizer.step()
        told.append(now.item())
    assert sum(told[-4:]) < sum(told[:4]) - 0.01, "something was learnt"
    return told


@pytest.mark.parametrize("targets", ["attention-qv", "linear"])
def test_same_start_and_batches_give_the_same_curve_logits_and_files(base, ids, targets, tmp_path):
    peers = theirs(base, targets)
    peers.save_pretrained(tmp_path / "start")
    attaching.add(base, "a", peft_format.load(tmp_path / "start"))

    def our_loss(batch):
        total, count = lean.supervised_loss(base, batch, torch.ones_like(batch, dtype=torch.bool))
        return total / count

    trained = [p for p in peers.parameters() if p.requires_grad]
    wanted = descend(trained, (lambda b=b: peers(b, labels=b).loss for b in ids))
    ours = attaching.trainable_parameters(base, "a")
    assert sum(p.numel() for p in ours) == sum(p.numel() for p in trained)
    found = descend(ours, (lambda b=b: our_loss(b) for b in ids))
    assert found == pytest.approx(wanted, abs=1e-5)
    with torch.no_grad():
        here = base(ids[0]).logits
        assert torch.allclose(here, peers(ids[0]).logits, atol=1e-4)
        folder = tmp_path / "ours"
        peft_format.save(folder, attaching.extract(base, "a"), str(tmp_path / "base"), {})
        there = peft.AutoPeftModelForCausalLM.from_pretrained(folder).eval()
        assert torch.allclose(here, there(ids[0]).logits, atol=1e-4)


@torch.no_grad()
def test_their_file_with_ranks_and_alphas_of_their_own_loads_here(base, ids, tmp_path):
    """Patterns that name the last matrix of any family's blocks."""
    last = attaching.matrices(base).keys()
    names = sorted({path.rpartition(".")[2] for path in resolve("linear", last)})
    peers = theirs(
        base,
        "linear",
        use_rslora=True,
        use_dora=True,
        rank_pattern={names[0]: 7, rf"\.1\.\w+\.{names[1]}": 3},
        alpha_pattern={names[-1]: 5},
    )
    for name, parameter in peers.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            parameter.normal_(std=0.2)
    peers.eval().save_pretrained(tmp_path / "peers")
    attaching.add(base, "a", peft_format.load(tmp_path / "peers"))
    assert torch.allclose(base(ids[0]).logits, peers(ids[0]).logits, atol=1e-4)
