import json

import pytest
import torch
from safetensors.torch import save_file

from lora_lab.models import architecture, weights
from tests.expecting import lab_error


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "llama", "num_hidden_layers": 2}')
    tensors = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(4, dtype=torch.bfloat16)}
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    return tmp_path


def test_tensors_are_read_as_they_were_written(folder):
    found = weights.tensors(folder)
    assert {n: (t.dtype, t.shape) for n, t in found.items()} == {
        "a": ("F32", (2, 3)),
        "b": ("BF16", (4,)),
    }
    assert torch.frombuffer(bytearray(found["a"].read()), dtype=torch.float32).tolist() == [
        0, 1, 2, 3, 4, 5,
    ]  # fmt: skip


@pytest.mark.parametrize("kept", [0, 4, 8, 30, 100, -1])
def test_a_file_cut_short_is_seen(folder, kept):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    with lab_error("safetensors_corrupt", file="model.safetensors"):
        weights.tensors(folder)


def test_bytes_too_many_are_seen(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes() + b"\0")
    with lab_error("safetensors_corrupt"):
        weights.tensors(folder)


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"{",
        b'{"a": 1}',
        b'{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 8]}}',
        b'{"a": {"dtype": "X", "shape": [2], "data_offsets": [0, 8]}}',
        b'{"a": {"dtype": "F32", "shape": [-2], "data_offsets": [8, 0]}}',
        b'{"a": {"dtype": "F32", "shape": ["2"], "data_offsets": [0, 8]}}',
        b"[" * 200_000,
    ],
)
def test_a_senseless_header_is_refused(folder, header):
    file = folder / "model.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with lab_error("safetensors_corrupt"):
        weights.tensors(folder)


def test_a_header_that_claims_to_be_huge_is_not_read(folder):
    (folder / "model.safetensors").write_bytes((1 << 60).to_bytes(8, "little") + b"{}")
    with lab_error("safetensors_corrupt"):
        weights.tensors(folder)


def test_parts_are_found_by_their_index(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model-00001-of-00001.safetensors"}}))
    assert set(weights.tensors(folder)) == {"a", "b"}
    index.write_text(json.dumps({"weight_map": {"a": "model-00002-of-00002.safetensors"}}))
    with lab_error("weights_missing", file="model-00002-of-00002.safetensors"):
        weights.tensors(folder)
    index.write_text(json.dumps({"weight_map": {"a": "../../secret.safetensors"}}))
    with lab_error("safetensors_corrupt"):
        weights.tensors(folder)


@pytest.mark.parametrize(
    ("files", "key"),
    [
        (["config.json", "pytorch_model.bin"], "pickle_only"),
        (["config.json", "model.pt"], "pickle_only"),
        (["config.json"], "no_weights"),
        (["model.safetensors"], "no_config"),
        (["adapter_config.json", "adapter_model.safetensors"], "folder_is_an_adapter"),
    ],
)
def test_a_folder_without_usable_weights_says_why(tmp_path, files, key):
    for name in files:
        (tmp_path / name).write_bytes(b"{}")
    with lab_error(key):
        weights.files(tmp_path)


def test_a_folder_that_is_not_there_says_so(tmp_path):
    with lab_error("no_such_folder"):
        weights.files(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ('{"model_type": "llama"', "config_corrupt"),
        ("[]", "config_corrupt"),
        ('{"model_type": "llama", "num_hidden_layers": 1000000000}', "config_corrupt"),
        ('{"model_type": "llama", "num_hidden_layers": "2"}', "config_corrupt"),
        ("[" * 200_000, "config_corrupt"),
        ('{"model_type": "vit"}', "unsupported_architecture"),
        ('{"model_type": "roberta"}', "reads_both_ways"),
        ('{"model_type": "xlnet", "architectures": ["XLNetLMHeadModel"]}', "reads_both_ways"),
        ('{"architectures": ["Odd"]}', "unsupported_architecture"),
        ('{"model_type": "odd", "auto_map": {"AutoModel": "x.Y"}}', "needs_remote_code"),
        ('{"model_type": "llama", "quantization_config": {}}', "quantised_weights"),
    ],
)
def test_a_config_that_cannot_be_trained_says_why(tmp_path, config, key):
    (tmp_path / "config.json").write_text(config)
    with lab_error(key):
        architecture.check(tmp_path / "config.json", "x")


def test_an_auto_map_is_ignored_where_transformers_has_the_architecture(tmp_path):
    config = '{"model_type": "llama", "auto_map": {"AutoModelForCausalLM": "evil.Model"}}'
    (tmp_path / "config.json").write_text(config)
    assert architecture.check(tmp_path / "config.json", "x")["model_type"] == "llama"
