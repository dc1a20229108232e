import subprocess
import sys

import pytest
import torch
from torch import nn

from lora_lab.config import Settings
from lora_lab.models import measuring
from lora_lab.models.shapes import shapes
from lora_lab.training import counting
from tests.expecting import lab_error
from tests.tiny_models import FAMILIES


@pytest.mark.parametrize("family", FAMILIES)
def test_measured_shapes_are_the_model_s(family, saved):
    folder, model = saved(family)
    found = measuring.measure(folder)
    matrices = {
        path: module
        for path, module in model.named_modules()
        if isinstance(module, (nn.Linear, nn.Embedding)) or type(module).__name__ == "Conv1D"
    }
    assert set(found.paths()) == set(matrices)
    for path, matrix in found.paths().items():
        told = torch.Size([matrix.in_features, matrix.out_features])
        weight = matrices[path].weight.shape
        assert weight == (told[::-1] if matrix.kind == "linear" else told), path
    assert found.total == sum(p.numel() for p in model.parameters())
    assert (found.layers, found.hidden, found.heads) == (2, 32, 4)
    assert found.tied == (
        model.get_output_embeddings().weight is model.get_input_embeddings().weight
    )
    assert found.architecture == type(model).__name__


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_layers_of_one_kind_are_one_entry(family, saved):
    found = measuring.measure(saved(family)[0])
    assert {matrix.count for matrix in found.matrices} == {1, 2}
    assert sum(matrix.count for matrix in found.matrices) == len(found.paths())


def test_smollm2_has_the_paper_s_numbers():
    known = shapes("smollm2-135m-instruct")
    assert known.total == 134_515_008
    assert counting.count(known, Settings(targets="attention-qv", rank=8)).trainable == 460_800


def test_gpt3_is_counted_as_the_lora_paper_counts_it():
    known = shapes("gpt3-175b")
    assert known.total == pytest.approx(175e9, rel=0.005)
    # Hu et al. 2021, section 7.1: 18 M trainable with rank 4 on q and v.
    counted = counting.count(known, Settings(targets="attention-qv", rank=4))
    assert counted.trainable == 96 * 4 * 4 * 12288 == 18_874_368


def test_what_was_measured_once_is_known_from_then_on(saved):
    folder, _ = saved("llama")
    with lab_error("shapes_unknown"):
        shapes(str(folder))
    found = measuring.describe(str(folder))
    assert shapes(str(folder)) == found


def test_a_changed_config_is_not_taken_for_the_old_one(tmp_path, saved):
    config = (saved("llama")[0] / "config.json").read_text()
    (tmp_path / "config.json").write_text(config)
    from lora_lab.models.shapes import keep

    keep(str(tmp_path), measuring.measure(tmp_path))
    (tmp_path / "config.json").write_text(config.replace('"hidden_size": 32', '"hidden_size": 64'))
    with lab_error("shapes_unknown"):
        shapes(str(tmp_path))


def test_a_layer_unlike_the_others_keeps_its_own_entry():
    from lora_lab.models.measuring import _gathered
    from lora_lab.models.shapes import Matrix

    wide = [Matrix(f"h.{i}.up", 1, 8, 16 if i == 1 else 4, "linear") for i in range(3)]
    found = _gathered(iter(wide))
    assert sorted(m.path for m in found) == ["h.0.up", "h.1.up", "h.2.up"]
    assert {m.path: m.out_features for m in found}["h.1.up"] == 16


def test_the_table_is_read_without_torch():
    code = (
        "import sys; from lora_lab.models import shapes, sources;"
        "shapes.shapes('gpt2').paths(); sources.is_here('gpt2');"
        "heavy = ('torch', 'transformers', 'huggingface_hub', 'gguf');"
        "print([name for name in heavy if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_the_table_is_what_the_script_makes():
    """shapes.json is not edited by hand: one small model measured again gives its entry."""
    import json
    import tempfile
    from pathlib import Path

    from lora_lab.models.shapes import TABLE

    published = json.loads(TABLE.with_name("published.json").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(published["pythia-70m"]))
        assert measuring.measure(Path(folder)) == shapes("pythia-70m")
