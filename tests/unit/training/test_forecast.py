"""The memory forecast, part by part, against counts worked by hand."""

from dataclasses import replace

import pytest
import torch

from lora_lab.config import Settings
from lora_lab.models import shapes
from lora_lab.training import forecast
from lora_lab.training.speed import Speed

SPEED = Speed(float32=5e10, bfloat16=2e11, step=1e-5, cores=2)
READING = forecast.Reading(mean_tokens=60)
SMOL = shapes.shapes("smollm2-135m-instruct")


def parts(**settings):
    return forecast.memory(
        SMOL, Settings(model="smollm2-135m-instruct", **settings), READING, SPEED
    )


def test_lora_holds_gradients_and_optimizer_for_the_adapter_alone():
    """Rank 8 on queries and values: 460,800 numbers, four bytes each; the base in bfloat16."""
    told = parts(rank=8, targets="attention-qv")
    assert told["gradients"] == 4 * 460_800
    assert told["optimizer"] == 2 * told["gradients"]
    assert told["weights"] == 2 * 134_515_008 + 2 * 4 * 460_800


def test_full_fine_tuning_holds_them_for_every_weight_in_float32():
    told = parts(method="full")
    assert told["gradients"] == 4 * 134_515_008
    assert told["optimizer"] == 8 * 134_515_008
    assert told["weights"] == 8 * 134_515_008  # the base as it is trained, and the best so far


def test_the_optimizer_counts_what_adamw_really_keeps():
    weight = torch.nn.Parameter(torch.ones(30, 20))
    weight.grad = torch.ones(30, 20)
    optimizer = torch.optim.AdamW([weight])
    optimizer.step()
    kept = sum(t.numel() * 4 for t in optimizer.state[weight].values() if t.numel() > 1)
    assert kept == 2 * 4 * weight.numel()


@pytest.mark.parametrize("method", ["lora", "dora", "prefix", "full"])
def test_the_parts_are_the_whole(method):
    settings = Settings(model="smollm2-135m-instruct", method=method)
    told = forecast.memory(SMOL, settings, READING, SPEED)
    whole = forecast.forecast(SMOL, settings, READING, SPEED)["memory_bytes"]
    assert sum(told.values()) == pytest.approx(whole, abs=5)
    assert set(told) == {"process", "weights", "gradients", "optimizer", "activations"}


def test_more_to_keep_takes_more():
    settings = Settings(model="smollm2-135m-instruct", targets="attention-qv")
    for longer in (replace(settings, batch_size=16), replace(settings, targets="linear")):
        kept = [forecast.memory(SMOL, s, READING, SPEED)["activations"] for s in (settings, longer)]
        assert kept[0] < kept[1]
