"""What is counted beforehand is what is trained and what lies on the disk afterwards."""

from dataclasses import replace

import pytest

from lora_lab.config import Settings
from lora_lab.models import measuring
from lora_lab.training import counting, methods
from tests import tiny_models
from tests.expecting import lab_error

SETTINGS = Settings(targets="linear", rank=4, prefix_tokens=5, max_length=32)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_neox", "qwen3"])
@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"method": "dora"},
        {"init": "pissa"},
        {"method": "dora", "init": "pissa", "scaling": "rank-stabilised"},
        {"method": "prefix"},
        {"method": "lora-prefix", "targets": "mlp"},
        {"method": "full"},
    ],
    ids=lambda chosen: "-".join(chosen.values()) or "lora",
)
def test_each_method_trains_and_saves_what_was_counted(family, chosen, tmp_path):
    model = tiny_models.save(family, tmp_path / "base")
    settings = replace(SETTINGS, **chosen)
    told = counting.count(measuring.measure(tmp_path / "base"), settings)
    method = methods.put(model, settings)
    assert told.trainable == sum(p.numel() for p in method.parameters.values())
    method.take_off()(tmp_path / "made", "base", {})
    files = sum(file.stat().st_size for file in (tmp_path / "made").rglob("*.safetensors"))
    header = 8000 if settings.method == "full" else 0  # a model's own names are not counted
    assert told.file_bytes <= files <= told.file_bytes + header


@pytest.mark.parametrize("targets", ["embeddings", "all"])
def test_embeddings_are_counted_where_they_are_their_own(targets, tmp_path):
    model = tiny_models.save("gpt_neox", tmp_path / "untied")
    settings = replace(SETTINGS, targets=targets)
    told = counting.count(measuring.measure(tmp_path / "untied"), settings)
    method = methods.put(model, settings)
    assert told.trainable == sum(p.numel() for p in method.parameters.values())
    method.take_off()(tmp_path / "made", "base", {})
    file = tmp_path / "made" / "adapter_model.safetensors"
    assert told.file_bytes == file.stat().st_size
    tiny_models.save("llama", tmp_path / "tied")
    with lab_error("embeddings_tied"):
        counting.count(measuring.measure(tmp_path / "tied"), settings)


def test_pissa_s_rank_is_told_beforehand(tmp_path):
    tiny_models.save("llama", tmp_path)
    with lab_error("pissa_rank"):
        counting.count(measuring.measure(tmp_path), replace(SETTINGS, init="pissa", rank=17))
