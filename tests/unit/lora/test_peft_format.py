import json
import os

import pytest
import torch
from safetensors.torch import save_file

from lora_lab.errors import LabError
from lora_lab.lora import peft_format
from lora_lab.lora.adapter import Adapter

PATH = "model.layers.0.self_attn.q_proj"


def pair(rank=2, inputs=6, outputs=5):
    generator = torch.Generator().manual_seed(rank)
    return (
        torch.randn(rank, inputs, generator=generator),
        torch.randn(outputs, rank, generator=generator),
    )


@pytest.fixture
def folder(tmp_path):
    peft_format.save(tmp_path / "adapter", Adapter(2, 4.0, {PATH: pair()}), "owner/base", {"n": 1})
    return tmp_path / "adapter"


def change(folder, **changes):
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def tensors(folder, **named):
    save_file(
        {f"base_model.model.{k}": t for k, t in named.items()}, folder / "adapter_model.safetensors"
    )


def refusal(folder):
    with pytest.raises(LabError) as caught:
        peft_format.load(folder)
    assert caught.value.text("en") and caught.value.text("es") and caught.value.text("gl")
    return caught.value.key


def test_what_is_saved_is_what_is_loaded(tmp_path):
    saved = Adapter(
        2,
        4.0,
        {f"model.layers.{i}.mlp.up_proj": pair(rank) for i, rank in ((2, 2), (10, 3))},
        alphas={"model.layers.10.mlp.up_proj": 9.0},
        rank_stabilised=True,
        fan_in_fan_out=True,
    )
    peft_format.save(tmp_path, saved, "owner/base", {"heldout_loss": 1.5})
    loaded = peft_format.load(tmp_path)
    assert loaded.targets == saved.targets
    for path in saved.tensors:
        assert all(
            torch.equal(a, b)
            for a, b in zip(saved.tensors[path], loaded.tensors[path], strict=True)
        )
        assert loaded.scaling(path) == saved.scaling(path)
    assert loaded.scaling("model.layers.10.mlp.up_proj") == pytest.approx(9 / 3**0.5)
    assert loaded.fan_in_fan_out
    assert peft_format.facts(tmp_path) == {"heldout_loss": 1.5}
    assert not list(tmp_path.glob("*.part"))


def test_the_card_names_a_hub_base_and_no_folder(folder, tmp_path):
    assert 'base_model: "owner/base"' in (folder / "README.md").read_text()
    peft_format.save(tmp_path / "b", Adapter(2, 4, {PATH: pair()}), str(tmp_path), {})
    card = (tmp_path / "b" / "README.md").read_text()
    assert "base_model:" not in card
    assert "Trained with LoRA Lab" in card


def test_patterns_are_read_as_peft_reads_them(folder):
    other = PATH.replace("q_proj", "v_proj")
    three, two = pair(3), pair()
    tensors(
        folder,
        **{
            f"{p}.lora_{s}.weight": t
            for p, ts in ((PATH, three), (other, two))
            for s, t in zip("AB", ts, strict=True)
        },
    )
    change(folder, rank_pattern={r".*\.q_proj": 3}, alpha_pattern={"q_proj": 12, PATH: 99})
    loaded = peft_format.load(folder)
    assert (loaded.scaling(PATH), loaded.scaling(other)) == (4.0, 2.0)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"peft_type": "LOHA"}, "adapter_not_lora"),
        ({"peft_type": None}, "adapter_not_lora"),
        ({"use_dora": True}, "adapter_magnitudes"),
        ({"bias": "all"}, "adapter_beyond"),
        ({"modules_to_save": ["lm_head"]}, "adapter_beyond"),
        ({"init_lora_weights": "pissa_niter_4"}, "adapter_beyond"),
        ({"r": 10**9}, "adapter_bad_rank"),
        ({"r": True}, "adapter_bad_rank"),
        ({"r": None}, "adapter_bad_rank"),
        ({"r": 3}, "adapter_bad_shape"),
        ({"rank_pattern": {"q_proj": 7}}, "adapter_bad_shape"),
        ({"rank_pattern": ["q_proj"]}, "adapter_bad_value"),
        ({"alpha_pattern": {"(a+)+$": 7}}, "pattern_refused"),
        ({"lora_alpha": float("nan")}, "adapter_bad_value"),
        ({"lora_alpha": "16"}, "adapter_bad_value"),
        ({"lora_alpha": 1e300}, "adapter_bad_value"),
        ({"lora_alpha": float("-inf")}, "adapter_bad_value"),
        ({"lora_alpha": 10**400}, "adapter_bad_value"),
    ],
)
def test_a_config_that_cannot_be_trusted_is_refused(folder, changes, key):
    change(folder, **changes)
    assert refusal(folder) == key


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "[" * 100_000, '"x"', "{}" + " " * 2_000_000, "\0"]
)
def test_absurd_json_is_refused(folder, text):
    (folder / "adapter_config.json").write_text(text)
    assert refusal(folder) == "adapter_bad_json"


A, B = pair()


@pytest.mark.parametrize(
    ("named", "key"),
    [
        ({}, "adapter_empty"),
        ({f"{PATH}.lora_A.weight": A}, "adapter_half_pair"),
        (
            {f"{PATH}.lora_A.weight": A, f"{PATH}.lora_B.weight": B.t().contiguous()},
            "adapter_bad_shape",
        ),
        ({f"{PATH}.lora_A.weight": A[0], f"{PATH}.lora_B.weight": B}, "adapter_bad_shape"),
        (
            {f"{PATH}.lora_A.weight": A, f"{PATH}.lora_B.weight": B * torch.inf},
            "adapter_not_finite",
        ),
        ({f"{PATH}.lora_A.weight": A.int(), f"{PATH}.lora_B.weight": B}, "adapter_bad_dtype"),
        ({"lora_embedding_A": A, "lora_embedding_B": B}, "adapter_strange_tensor"),
        ({f"{PATH}.lora_embedding_A": A, f"{PATH}.lora_B.weight": B}, "adapter_half_pair"),
        (
            {
                f"{PATH}.lora_A.weight": A,
                f"{PATH}.lora_B.weight": B,
                f"{PATH}.lora_magnitude_vector": B[:, 0].contiguous(),
            },
            "adapter_magnitudes",
        ),
        (
            {
                f"{PATH}.lora_A.weight": A,
                f"{PATH}.lora_B.weight": B,
                f"{PATH}.base_layer.weight": torch.zeros(6, 5),
            },
            "adapter_strange_tensor",
        ),
        (
            {
                f"{PATH}.lora_embedding_A": A,
                f"{PATH}.lora_embedding_B": B,
                f"{PATH}.lora_magnitude_vector": torch.zeros(5),
            },
            "adapter_magnitudes",
        ),
        ({"../../x.lora_A.weight": A, "../../x.lora_B.weight": B}, "adapter_strange_tensor"),
        ({f"{'a.' * 200}q.lora_A.weight": A}, "adapter_strange_tensor"),
    ],
)
def test_tensors_that_cannot_be_trusted_are_refused(folder, named, key):
    tensors(folder, **named)
    assert refusal(folder) == key


def test_pickle_is_never_opened(folder):
    (folder / "adapter_model.safetensors").unlink()
    assert refusal(folder) == "adapter_no_tensors"
    (folder / "adapter_model.bin").write_bytes(b"\x80\x04")
    assert refusal(folder) == "adapter_pickle"


def test_a_broken_a_renamed_and_a_missing_file(folder, tmp_path):
    file = folder / "adapter_model.safetensors"
    whole = file.read_bytes()
    for content in (whole[:-4], b"PK\x03\x04", b"", b"\xff" * 64):
        file.write_bytes(content)
        assert refusal(folder) == "adapter_file_broken"
    file.unlink()
    os.mkfifo(file)
    assert refusal(folder) == "adapter_no_tensors", "a pipe would be waited on for ever"
    assert refusal(tmp_path / "nowhere") == "adapter_no_config"


def test_half_precision_files_are_widened(folder):
    tensors(folder, **{f"{PATH}.lora_A.weight": A.half(), f"{PATH}.lora_B.weight": B.bfloat16()})
    assert {t.dtype for t in peft_format.load(folder).tensors[PATH]} == {torch.float32}
