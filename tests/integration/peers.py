"""The lab beside peft, the library most adapters are made with: one base, one start, the same
batches and optimiser, and so one curve."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import peft
import torch

from lora_lab.lora import attaching, peft_format
from lora_lab.lora.targets import resolve
from lora_lab.models import lean
from tests import tiny_models

RANK, ALPHA, RATE = 4, 8, 1e-2
Batch = tuple[torch.Tensor, torch.Tensor]  # ids and which of them are supervised, both [4, 13]


def base(family: str, folder: Path) -> Any:
    """A tiny model, also saved in `folder`. It never drops: peft trains in training mode, where
    some families would, at random."""
    model = tiny_models.save(family, folder)
    model.config.layerdrop = 0.0
    for module in model.modules():
        for name in ("dropout", "attention_dropout", "layerdrop"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def batches() -> list[Batch]:
    """Twelve: the same three again and again, so that there is something to learn."""
    draws = torch.Generator().manual_seed(2)
    ids = torch.randint(2, tiny_models.VOCAB, (3, 4, 13), generator=draws)
    supervised = torch.rand(ids.shape, generator=draws) < 0.5
    return list(zip(ids, supervised, strict=True)) * 4


def lora(model: Any, targets: str = "linear", **settings: Any) -> peft.PeftModel:
    """peft's LoRA on a copy of the model."""
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


@torch.no_grad()
def randomise(peers: peft.PeftModel) -> None:
    """Both factors of every matrix, so that what peft's file says is heard."""
    torch.manual_seed(5)
    for name, parameter in peers.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            parameter.normal_(std=0.2)


def put_theirs_on(model: Any, peers: peft.PeftModel, folder: Path) -> None:
    """The adapter that peft saves in `folder`, on the lab's model, as "a"."""
    peers.save_pretrained(folder)
    attaching.add(model, "a", peft_format.load(folder))


def their_curve(peers: Any, batches: list[Batch], optimizer: Any = None) -> list[float]:
    trained = [parameter for parameter in peers.parameters() if parameter.requires_grad]
    told = (peers(ids, labels=ids.masked_fill(~counted, -100)).loss for ids, counted in batches)
    return _descend(optimizer or torch.optim.AdamW(trained, lr=RATE), told)


def our_curve(model: Any, batches: list[Batch], optimizer: Any = None) -> list[float]:
    """The losses in training of the adapter that is on the model as "a"."""
    trained = attaching.trainable_parameters(model, "a")
    told = (torch.div(*lean.supervised_loss(model, ids, counted)) for ids, counted in batches)
    return _descend(optimizer or torch.optim.AdamW(trained, lr=RATE), told)


def _descend(optimizer: torch.optim.Optimizer, losses: Iterable[torch.Tensor]) -> list[float]:
    """Each loss is reckoned when the step before it is done."""
    curve = []
    for loss in losses:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append(loss.item())
    assert sum(curve[-3:]) < sum(curve[:3]) - 0.01, "something was learnt"
    return curve


def read_there(model: Any, folder: Path, base_folder: Path) -> peft.PeftModel:
    """What peft makes of the lab's file of the adapter "a", which it saves in `folder`."""
    peft_format.save(folder, attaching.extract(model, "a"), str(base_folder), {})
    return peft.AutoPeftModelForCausalLM.from_pretrained(folder).eval()


@torch.no_grad()
def assert_same_answers(model: Any, peers: Any) -> None:
    ids, _ = batches()[0]
    assert torch.allclose(model(ids).logits, peers(ids).logits, atol=1e-4)
