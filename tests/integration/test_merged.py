"""A merged model's folder, loaded by transformers alone, answers as the adapter on its base."""

import peft
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lora_lab.evaluation import merged
from lora_lab.lora import peft_format
from lora_lab.lora.adapter import Adapter
from tests import tiny_adapters, tiny_models
from tests.expecting import lab_error


@pytest.fixture(params=["llama", "gpt2", "gpt_neox"])
def model(request, tmp_path):
    tiny_models.save(request.param, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def adapter(model, tmp_path):
    base = AutoModelForCausalLM.from_pretrained(model)
    made = tiny_adapters.drawn(base, 3, 6.0)
    peft_format.save(tmp_path / "adapter", made, str(model), {"n": 1})
    return tmp_path / "adapter"


@torch.no_grad()
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_transformers_loads_it_and_peft_agrees(model, adapter, tmp_path, precision):
    out = tmp_path / "whole"
    told = list(merged.save(str(model), adapter, out, precision))[-1]
    made = AutoModelForCausalLM.from_pretrained(out)
    assert made.dtype == getattr(torch, precision)
    assert AutoTokenizer.from_pretrained(out)("the cat").input_ids
    ids = torch.arange(20)[None]
    theirs = peft.AutoPeftModelForCausalLM.from_pretrained(adapter).eval()
    gap = (made.eval()(ids).logits.float() - theirs(ids).logits).abs().max()
    assert gap < (1e-4 if precision == "float32" else 0.5)
    assert told["max_difference"] < (1e-4 if precision == "float32" else 0.5)
    assert told["max_difference"] > 0 and told["tokens"] == 16
    assert told["bytes"] == (out / "model.safetensors").stat().st_size
    config = made.config
    if config.tie_word_embeddings:
        assert made.lm_head.weight is made.get_input_embeddings().weight
    assert peft_format.facts(out)["merged"]["precision"] == precision


@pytest.mark.parametrize("precision", ["int8", "load", "", None])
def test_no_other_precision_is_merged_to(tmp_path, precision):
    with lab_error("setting_not_a_choice"):
        list(merged.save("tiny-stories", tmp_path / "adapter", tmp_path / "out", precision))


def test_what_cannot_be_merged_leaves_no_folder(model, tmp_path):
    path = tmp_path / "odd"
    tensors = {"model.layers.7.mlp.up_proj": (torch.ones(2, 32), torch.ones(48, 2))}
    peft_format.save(path, Adapter(2, 4.0, tensors), str(model), {})
    with lab_error("target_not_a_matrix"):
        list(merged.save(str(model), path, tmp_path / "whole"))
    assert not (tmp_path / "whole").exists()
