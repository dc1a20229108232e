import json
import shutil
from contextlib import suppress

import pytest
import torch
from safetensors.torch import load_file, save_file

from lora_lab.errors import LabError
from lora_lab.lora import attaching
from lora_lab.models import loading, sources
from lora_lab.models.loading import base_hash
from tests import tiny_models
from tests.expecting import lab_error
from tests.tiny_models import FAMILIES


def load(folder, dtype=torch.float32):
    return loading.load(sources.fetch(str(folder)), dtype)


@pytest.fixture
def copy(saved, tmp_path):
    """A Llama's folder to break."""
    return shutil.copytree(saved("llama")[0], tmp_path / "model")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_loads_frozen_and_answers_as_it_was_saved(family, saved):
    folder, original = saved(family)
    model, tokenizer = load(folder)
    ids = torch.tensor([tokenizer("Había una vez")["input_ids"]])
    with torch.no_grad():
        assert torch.equal(model(ids).logits, original(ids).logits)
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    assert model.config._attn_implementation == "eager"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_loads_in_the_precision_asked_for(dtype, saved):
    model, _ = load(saved("llama")[0], dtype)
    assert {p.dtype for p in model.parameters()} == {dtype}


def test_a_tokenizer_without_a_pad_token_pads_with_its_end(saved):
    tokenizer = load(saved("gpt2")[0])[1]
    assert tokenizer.pad_token == tokenizer.eos_token


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_bits_have_equal_hashes_from_any_folder(family, saved, tmp_path):
    folder, _ = saved(family)
    other = shutil.copytree(folder, tmp_path / "elsewhere")
    assert base_hash(folder) == base_hash(other)
    tensors = load_file(other / "model.safetensors")
    # The order in a file and the metadata beside it are not the model.
    save_file(dict(reversed(tensors.items())), other / "model.safetensors", metadata={"x": "y"})
    assert base_hash(folder) == base_hash(other)


def test_one_bit_changes_the_hash(saved, copy):
    before = base_hash(copy)
    model, _ = load(copy)
    in_memory = base_hash(model)
    tensors = load_file(copy / "model.safetensors")
    tensors["model.norm.weight"].view(torch.uint8)[0] ^= 1
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    assert base_hash(copy) != before
    model.model.norm.weight.data.view(torch.uint8)[0] ^= 1
    assert base_hash(model) != in_memory


def test_a_name_a_dtype_or_a_shape_changes_the_hash(copy):
    file = copy / "model.safetensors"
    tensors = load_file(file)
    norm = tensors.pop("model.norm.weight")
    seen = set()
    for name, tensor in [
        ("model.norm.weight", norm),
        ("model.other.weight", norm),
        ("model.norm.weight", norm.view(torch.int32)),
        ("model.norm.weight", norm.view(2, 16)),
    ]:
        save_file(tensors | {name: tensor}, file)
        seen.add(base_hash(copy))
    assert len(seen) == 4


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_the_hash_in_memory_sees_past_attached_adapters(family, saved):
    model, _ = load(saved(family)[0])
    before = base_hash(model)
    paths = [p for p, _ in model.named_modules() if p.endswith(("q_proj", "v_proj", "c_attn"))]
    attaching.attach(model, "mine", paths, rank=2, alpha=4, seed=0)
    assert base_hash(model) == before
    attaching.detach(model)
    assert base_hash(model) == before


def test_two_loads_have_one_hash_and_another_seed_another(saved, tmp_path):
    folder, _ = saved("qwen2")
    tiny_models.save("qwen2", tmp_path, seed=1)
    assert base_hash(load(folder)[0]) == base_hash(load(folder)[0])
    assert base_hash(load(folder)[0]) != base_hash(load(tmp_path)[0])


def test_gpt2_as_its_authors_published_it_loads(saved, tmp_path):
    """Its file leaves out "transformer." and carries each layer's causal mask."""
    folder, original = saved("gpt2")
    copy = shutil.copytree(folder, tmp_path / "gpt2")
    tensors = {
        name.removeprefix("transformer."): tensor
        for name, tensor in load_file(copy / "model.safetensors").items()
    }
    masks = {f"h.{i}.attn.bias": torch.ones(1, 1, 64, 64).tril() for i in range(2)}
    save_file(tensors | masks, copy / "model.safetensors", metadata={"format": "pt"})
    model, _ = load(copy)
    ids = torch.tensor([[5, 80, 300]])
    with torch.no_grad():
        assert torch.equal(model(ids).logits, original(ids).logits)


@pytest.mark.parametrize("value", [None, -1, 2**40, "x", {}, 1.5])
@pytest.mark.parametrize("field", ["hidden_size", "vocab_size", "rope_parameters", "hidden_act"])
def test_a_config_with_a_senseless_value_loads_or_is_refused(copy, field, value):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {field: value}))
    with suppress(LabError):
        load(copy)


def test_weights_that_are_not_the_config_s_are_refused(copy):
    file = copy / "model.safetensors"
    tensors = load_file(file)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, file, metadata={"format": "pt"})
    with lab_error("weights_do_not_fit"):
        load(copy)


def test_weights_of_another_shape_are_refused(copy):
    config = copy / "config.json"
    config.write_text(config.read_text().replace('"hidden_size": 32', '"hidden_size": 64'))
    with lab_error("weights_do_not_fit"):
        load(copy)


def test_a_model_larger_than_memory_is_refused_before_it_is_built(copy):
    config = copy / "config.json"
    told = config.read_text().replace('"hidden_size": 32', '"hidden_size": 67108864')
    config.write_text(told)
    with lab_error("model_too_large"):
        load(copy)


def test_a_senseless_config_is_refused(copy):
    config = copy / "config.json"
    config.write_text(config.read_text().replace('"hidden_size": 32', '"hidden_size": -5'))
    with lab_error("config_corrupt"):
        load(copy)


def test_a_missing_or_broken_tokenizer_is_said(copy):
    (copy / "tokenizer.json").write_text("{}")
    with lab_error("tokenizer_corrupt"):
        load(copy)
    (copy / "tokenizer.json").unlink()
    with lab_error("no_tokenizer"):
        load(copy)


def test_a_tokenizer_of_a_larger_model_is_refused(copy):
    tokenizer = load(copy)[1]
    tokenizer.add_tokens([f"<{i}>" for i in range(100)])
    tokenizer.save_pretrained(copy)
    with lab_error("tokenizer_too_large"):
        load(copy)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_no_code_from_the_folder_is_run(copy, tmp_path, file):
    witness = tmp_path / "ran"
    code = f"import pathlib; pathlib.Path({str(witness)!r}).touch()\nclass Model: pass\n"
    (copy / "evil.py").write_text(code)
    told = json.loads((copy / file).read_text())
    kinds = ("AutoConfig", "AutoModelForCausalLM")
    told["auto_map"] = {kind: "evil.Model" for kind in kinds}
    told["auto_map"]["AutoTokenizer"] = ["evil.Model", "evil.Model"]
    (copy / file).write_text(json.dumps(told))
    with suppress(LabError):
        load(copy)
    assert not witness.exists()
