from math import prod

from lora_lab.lora.attaching import attach, extract, matrices, trainable_parameters
from lora_lab.lora.counting import adapter_tensors, file_bytes
from lora_lab.lora.peft_format import save
from lora_lab.lora.targets import resolve


def trainable(sizes, targets, rank):
    return sum(map(prod, adapter_tensors(sizes, targets, rank).values()))


def test_smollm2_on_queries_and_values():
    sizes = {}
    for layer in range(30):
        sizes[f"model.layers.{layer}.self_attn.q_proj"] = (576, 576)
        sizes[f"model.layers.{layer}.self_attn.v_proj"] = (576, 192)
    assert trainable(sizes, "attention-qv", 8) == 460_800


def test_forecast_is_what_is_attached_and_saved(model, tmp_path):
    sizes = matrices(model)
    for targets in ("attention-qv", "linear"):
        for rank in (1, 8):
            name = f"{targets}-{rank}"
            attach(model, name, resolve(targets, sizes), rank, 16)
            real = sum(p.numel() for p in trainable_parameters(model, name))
            assert trainable(sizes, targets, rank) == real
            save(tmp_path / name, extract(model, name), "base", {})
            file = tmp_path / name / "adapter_model.safetensors"
            assert file_bytes(adapter_tensors(sizes, targets, rank)) == file.stat().st_size
