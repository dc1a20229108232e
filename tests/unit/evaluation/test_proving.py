"""The proof tells the truth: what is equal is told equal, and a fault in it would be told too."""

from dataclasses import replace

import pytest
import torch

from lora_lab.evaluation import differing, loaded, proving, timing
from lora_lab.lora import attaching, merging, peft_format
from lora_lab.lora.adapter import Adapter
from lora_lab.models import loading, sources
from tests import tiny_adapters, tiny_models


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setattr(proving, "STEPS", 6)
    tiny_models.save("llama", tmp_path / "model")
    loaded._load.cache_clear()
    return str(tmp_path / "model")


@pytest.fixture
def folder(model, tmp_path):
    base = loading.load(sources.fetch(model), torch.float32)[0]
    made = tiny_adapters.drawn(base, 3, 6.0)
    peft_format.save(tmp_path / "adapter", made, model, {"n": 1})
    return tmp_path / "adapter"


def proof(model, folder):
    return next(event for event in proving.prove(model, folder) if event["kind"] == "proof")


def test_a_sound_adapter(model, folder):
    told = proof(model, folder)
    assert told["base_hash_before"] == told["base_hash_during"] == told["base_hash_after"]
    assert told["step0_equal"] is True and told["step0_max_difference"] == 0
    assert 0 < told["merge_max_difference"] < 1e-3
    assert told["merge_same_tokens"] == told["merge_tokens"] == 16
    assert told["merge_bf16_max_difference"] > told["merge_max_difference"]
    assert set(told["ms_per_token"]) == {"base", "unmerged", "merged"}
    for way, (low, high) in told["ms_interval"].items():
        assert 0 < low <= told["ms_per_token"][way] <= high
    assert told["adapter_bytes"] == (folder / "adapter_model.safetensors").stat().st_size
    assert told["base_bytes"] > told["adapter_bytes"]
    kept = peft_format.facts(folder)
    assert kept["n"] == 1 and kept["proof"]["step0_equal"] is True


def test_a_base_that_changed_meanwhile_is_told(model, folder, monkeypatch):
    real = attaching.detach

    def careless(base):
        real(base)
        base.model.layers[0].mlp.up_proj.weight.data[0, 0] += 1

    monkeypatch.setattr(proving.attaching, "detach", careless)
    told = proof(model, folder)
    assert told["base_hash_before"] != told["base_hash_after"]


@pytest.mark.parametrize(
    ("settings", "equal"),
    [
        ({"init": "gaussian"}, True),
        ({"init": "zeros"}, True),
        ({"init": "both-gaussian"}, False),
        ({"init": "pissa"}, False),
        ({"init": "nonsense"}, True),
        ("nonsense", True),
    ],
)
def test_the_start_is_the_one_it_was_trained_from(model, folder, settings, equal):
    peft_format.write_facts(folder, {"settings": settings})
    told = proof(model, folder)
    assert told["step0_equal"] is equal
    assert (told["step0_max_difference"] == 0) is equal


def test_a_dora_starts_at_the_base_and_is_merged(model, folder):
    lora = peft_format.load(folder)
    magnitudes = {path: torch.full((len(B),), 1.5) for path, (_, B) in lora.tensors.items()}
    peft_format.save(folder, replace(lora, magnitudes=magnitudes), model, {})
    told = proof(model, folder)
    assert told["step0_max_difference"] < 1e-5 and told["merge_max_difference"] < 1e-3
    assert told["base_hash_before"] == told["base_hash_after"]


def test_a_prefix_is_no_start_at_the_base_and_cannot_be_merged(model, folder):
    draws = torch.Generator().manual_seed(1)
    prefix = torch.randn(3, 2, 2, 2, 8, generator=draws)
    peft_format.save(folder, replace(peft_format.load(folder), prefix=prefix), model, {})
    told = proof(model, folder)
    assert told["step0_equal"] is False
    assert told["merge_refused"]["key"] == "mix_prefix"
    assert told["base_hash_before"] == told["base_hash_after"]


def test_a_merge_that_is_wrong_is_told(model, folder, monkeypatch):
    monkeypatch.setattr(proving.merging, "merge", lambda copy, adapter: None)
    assert proof(model, folder)["merge_max_difference"] > 0.01


def test_what_cannot_be_merged_has_no_merged_figures(model, folder, monkeypatch):
    path = "lm_head"
    peft_format.save(
        folder, Adapter(2, 4.0, {path: (torch.ones(2, 32), torch.ones(400, 2))}), model, {}
    )
    told = proof(model, folder)
    assert told["merge_refused"]["key"] == "embeddings_tied"
    assert "merge_max_difference" not in told and set(told["ms_per_token"]) == {"base", "unmerged"}


def test_answers_differ_where_models_do(model):
    base, tokenizer = loading.load(sources.fetch(model), torch.float32)
    ids = differing.prompt(base, tokenizer)
    assert len(ids) + differing.TOKENS <= 64
    first = differing.answer(base, ids)
    assert differing.difference(first, base) == differing.Difference(0.0, 16, 16)
    path = "model.layers.1.mlp.down_proj"
    strong = Adapter(1, 1.0, {path: (torch.ones(1, 48), torch.randn(32, 1) * 50)})
    merging.merge(base, strong)
    found = differing.difference(first, base)
    assert found.largest > 0.1 and found.same_tokens < 16


def test_the_interval_is_the_sign_tests():
    """For 48 values the median lies between the 17th and the 32nd with 95 % confidence."""
    times = [float(n) for n in range(1, 49)]
    assert timing.interval(times[::-1]) == (17.0, 32.0)
    assert timing.interval([5.0]) == (5.0, 5.0)


def test_three_put_on_and_taken_off_leave_the_base_and_its_answer(model, folder):
    base, tokenizer = loading.load(sources.fetch(model), torch.float32)
    ids, before = differing.prompt(base, tokenizer), loading.base_hash(base)
    alone = differing.answer(base, ids)
    for name in ("one", "two", "three"):
        routing = attaching.add(base, name, peft_format.load(folder))
        assert differing.difference(alone, base, routing, (name, 1.0)).largest > 0.01
    attaching.detach(base)
    assert loading.base_hash(base) == before
    after = differing.answer(base, ids)
    assert torch.equal(after.logits, alone.logits) and after.tokens == alone.tokens
