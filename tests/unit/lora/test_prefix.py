"""A prefix put on, taken off, saved and refused."""

import json

import pytest
import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from lora_lab.errors import LabError
from lora_lab.lora import attaching, peft_format, prefix
from lora_lab.lora.adapter import Adapter
from lora_lab.lora.routing import Routing

SIZES = {"vocab_size": 31, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2}
PATH = "model.layers.0.self_attn.q_proj"


@pytest.fixture
def model():
    torch.manual_seed(1)
    return LlamaForCausalLM(LlamaConfig(**SIZES, **HEADS)).eval()


def made(model, tokens=3, seed=0, **more):
    return Adapter(0, 0, {}, prefix=prefix.gaussian(model, tokens, seed), **more)


def pair():
    return torch.ones(2, 16), torch.ones(16, 2)


def test_its_size_is_what_the_model_s_cache_holds(model):
    assert prefix.shape(model) == (2, 2, 4)
    assert made(model).prefix.shape == (3, 2, 2, 2, 4)
    again = [prefix.gaussian(model, 3, seed) for seed in (0, 0, 1)]
    assert torch.equal(again[0], again[1]) and not torch.equal(again[0], again[2])


def test_on_and_off_leaves_the_model_as_it_was(model):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    trained = [parameter.requires_grad for parameter in model.parameters()]
    routing = attaching.add(model, "p", made(model))
    assert routing.whole == ("p", 1.0)
    assert list(attaching.state(model, "p")) == ["prefix"]
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert attaching.base_tensors(model).keys() == before.keys()
    attaching.detach(model)
    assert prefix.on(model) is None
    assert [parameter.requires_grad for parameter in model.parameters()] == trained
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


def test_each_row_sees_its_own(model):
    one, two = made(model, 3, seed=1), made(model, 2, seed=2)
    attaching.add(model, "one", one)
    routing = attaching.add(model, "two", two)
    held = prefix.on(model)
    routing.rows([("one", 1.0), None, ("two", 1.0), ("two", 0.0)])
    assert [seen if seen is None else len(seen) for seen in held.rows(4)] == [3, None, 2, None]
    routing.all("two")
    assert torch.equal(held.whole(), two.prefix)
    attaching.remove(model, "two")
    assert held.whole() is None and torch.equal(attaching.extract(model, "one").prefix, one.prefix)


def test_a_prefix_beside_lora_keeps_one_routing(model):
    routing = attaching.add(model, "p", made(model))
    assert attaching.add(model, "a", Adapter(2, 2, {PATH: pair()})) is routing
    both = Adapter(2, 2, {PATH: pair()}, prefix=made(model).prefix)
    assert attaching.add(model, "both", both) is routing
    assert list(attaching.state(model, "both")) == [f"{PATH}.A", f"{PATH}.B", "prefix"]
    attaching.set_state(
        model, "both", {k: t + 1 for k, t in attaching.state(model, "both").items()}
    )
    assert torch.equal(attaching.extract(model, "both").prefix, both.prefix + 1)


def test_what_does_not_fit_is_refused_and_leaves_nothing(model):
    wrong = Adapter(2, 2, {PATH: pair()}, prefix=torch.zeros(3, 2, 2, 4, 4))
    with pytest.raises(LabError) as caught:
        attaching.add(model, "p", wrong)
    assert caught.value.key == "prefix_does_not_fit"
    assert "heads 4 × 4" in caught.value.text("en") and prefix.on(model) is None
    assert not list(attaching.layers(model))


@pytest.mark.parametrize(
    "told", [{"layer_types": ["full_attention", "linear_attention"]}, {"kv_lora_rank": 4}]
)
def test_a_model_whose_layers_keep_other_things_is_refused(model, told):
    vars(model.config).update(told)
    with pytest.raises(LabError) as caught:
        prefix.put(model, "p", torch.zeros(1, 2, 2, 2, 4), Routing())
    assert caught.value.key == "prefix_unsupported"


def test_learned_positions_must_suffice_for_prefix_and_text(model):
    counted = GPT2LMHeadModel(GPT2Config(vocab_size=31, n_embd=8, n_head=2, n_positions=20))
    prefix.check_room(counted, 4, 16)
    with pytest.raises(LabError) as caught:
        prefix.check_room(counted, 5, 16)
    assert caught.value.key == "prefix_no_room" and "20" in caught.value.text("en")
    prefix.check_room(model, 10**6, 16)  # turned positions never end


@pytest.mark.parametrize("nested", [False, True])
def test_what_is_saved_is_what_is_loaded(model, tmp_path, nested):
    adapter = Adapter(2, 4, {PATH: pair()} if nested else {}, prefix=made(model).prefix)
    peft_format.save(tmp_path, adapter, "owner/base", {"n": 1})
    loaded = peft_format.load(tmp_path)
    assert torch.equal(loaded.prefix, adapter.prefix)
    assert loaded.targets == adapter.targets
    assert peft_format.facts(tmp_path) == {"n": 1}
    card = (tmp_path / "README.md").read_text()
    assert "prefix" in card and 'base_model: "owner/base"' in card
    peft_format.save(tmp_path, Adapter(2, 4, {PATH: pair()}), "owner/base", {})
    assert peft_format.load(tmp_path).prefix is None, "the one saved before is gone"


def change(folder, **changes):
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"num_layers": 3}, "prefix_bad_shape"),
        ({"num_virtual_tokens": 10**12}, "adapter_bad_value"),
        ({"num_virtual_tokens": True}, "adapter_bad_value"),
        ({"num_attention_heads": 3}, "adapter_bad_value"),
        ({"num_attention_heads": None}, "adapter_bad_value"),
        ({"token_dim": "8"}, "adapter_bad_value"),
        ({"num_transformer_submodules": 2}, "adapter_bad_value"),
        ({"peft_type": "PROMPT_TUNING"}, "adapter_not_lora"),
    ],
)
def test_a_config_that_cannot_be_trusted_is_refused(model, tmp_path, changes, key):
    peft_format.save(tmp_path, made(model), "owner/base", {})
    change(tmp_path, **changes)
    with pytest.raises(LabError) as caught:
        peft_format.load(tmp_path)
    assert caught.value.key == key
    assert all(caught.value.text(language) for language in ("en", "es", "gl"))


@pytest.mark.parametrize(
    ("tensors", "key"),
    [
        ({"prompt_embeddings": torch.full((3, 32), torch.nan)}, "adapter_not_finite"),
        ({"prompt_embeddings": torch.zeros(3, 32, dtype=torch.int32)}, "adapter_bad_dtype"),
        (
            {"prompt_embeddings": torch.zeros(3, 32), "more": torch.zeros(1)},
            "adapter_strange_tensor",
        ),
        ({"base_model.model.x.lora_A.weight": torch.zeros(3, 32)}, "adapter_strange_tensor"),
    ],
)
def test_tensors_that_cannot_be_trusted_are_refused(model, tmp_path, tensors, key):
    peft_format.save(tmp_path, made(model), "owner/base", {})
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    with pytest.raises(LabError) as caught:
        peft_format.load(tmp_path)
    assert caught.value.key == key
    (tmp_path / "adapter_model.safetensors").write_bytes(b"\xff" * 99)
    with pytest.raises(LabError) as caught:
        peft_format.load(tmp_path)
    assert caught.value.key == "adapter_file_broken"
