"""The verbs adapters and merge, on a tiny model: what they tell, against peft and plain sums."""

import json
import zipfile

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from lora_lab import lab
from lora_lab.cli.main import main
from lora_lab.lora import peft_format
from lora_lab.models import loading
from tests import tiny_adapters, tiny_models

IDS = torch.arange(20)[None]


@pytest.fixture
def model(tiny):
    return tiny


@pytest.fixture
def two(model, tmp_path):
    """Folders of adapters of unequal rank, alpha and targets."""
    base = AutoModelForCausalLM.from_pretrained(model)
    one = tiny_adapters.drawn(base, 4, 8.0, "attention-qv", seed=1)
    two = tiny_adapters.drawn(base, 16, 16.0, "linear", seed=2)
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, made in zip(folders, (one, two), strict=True):
        peft_format.save(folder, made, str(model), {})
    return folders


def answer(capfd, *arguments, code=0):
    capfd.readouterr()
    ended = main([*map(str, arguments), "--json"], None)
    out, err = capfd.readouterr()
    assert ended == code and "Traceback" not in err, err
    return json.loads(out) if code == 0 else err


@torch.no_grad()
def logits(model, folder=None):
    base = AutoModelForCausalLM.from_pretrained(model).eval()
    return (PeftModel.from_pretrained(base, folder) if folder else base)(IDS).logits


@torch.no_grad()
def test_mix_then_merge_and_prove(model, two, tmp_path, capfd):
    parts = [f"{two[0]}=0.7", f"{two[1]}=0.3"]
    asked = ["adapters", "mix", "--adapter", parts[0], "--adapter", parts[1]]
    told = answer(capfd, *asked, "--out", tmp_path / "mix")
    assert (told["rank"], told["error"], told["matrices"]) == (20, 0, 14)
    assert told["adapter"] == str(tmp_path / "mix")

    summed = AutoModelForCausalLM.from_pretrained(model).eval()
    for folder, weight in zip(two, (0.7, 0.3), strict=True):
        each = peft_format.load(folder)
        for path, (A, B) in each.tensors.items():
            summed.get_submodule(path).weight.add_(weight * each.scaling(path) * B @ A)
    assert torch.allclose(logits(model, tmp_path / "mix"), summed(IDS).logits, atol=2e-5)

    small = answer(capfd, *asked, "--compress-rank", 4, "--out", tmp_path / "small")
    assert small["rank"] == 4 and 0 < small["error"] < 1 and small["bytes"] < told["bytes"]
    ties = answer(capfd, *asked, "--method", "ties", "--compress-rank", 8)
    assert ties["id"] in [a["id"] for a in answer(capfd, "adapters", "list")["adapters"]]

    merged = answer(capfd, "merge", "--adapter", tmp_path / "mix", "--out", tmp_path / "whole")
    assert 0 < merged["max_difference"] < 1e-4 and merged["same_tokens"] == merged["tokens"]
    assert torch.allclose(logits(tmp_path / "whole"), summed(IDS).logits, atol=1e-4)

    proof = answer(capfd, "adapters", "prove", "--adapter", tmp_path / "mix")
    hashes = {proof[f"base_hash_{when}"] for when in ("before", "during", "after")}
    assert hashes == {loading.base_hash(AutoModelForCausalLM.from_pretrained(model))}
    assert proof["step0_equal"] is True and proof["merge_max_difference"] < 1e-4
    assert set(proof["ms_per_token"]) == {"base", "unmerged", "merged"}


def test_export_import_and_use_by_name(model, two, tmp_path, capfd, monkeypatch):
    zipped = tmp_path / "a.zip"
    told = answer(capfd, "adapters", "export", "--adapter", two[0], "--out", zipped)
    assert told["bytes"] == zipped.stat().st_size
    with zipfile.ZipFile(zipped) as opened:
        card = opened.read("README.md").decode()
        assert "rank 4" in card.lower() and "q_proj" in card
    came = answer(capfd, "adapters", "import", zipped, "--name", "boats")
    assert came["model"] == str(model) and came["base"] == "unchecked" and came["rank"] == 4
    told = answer(
        capfd, "compare", "--adapter", "boats=0.5", "--prompt", "the cat", "--max-new-tokens", 4
    )
    assert told["model"] == str(model) and set(told["prompts"][0]["adapted"]) == {"boats"}
    again = answer(capfd, "adapters", "import", two[1])
    assert again["name"] == "two"
    monkeypatch.chdir(tmp_path)
    answer(capfd, "adapters", "export", "--adapter", "boats")
    assert (tmp_path / "boats.zip").is_file()


def test_what_does_not_fit_is_refused_and_nothing_is_kept(model, two, tmp_path, capfd):
    other = tmp_path / "other"
    tiny_models.save("gpt2", other)
    err = answer(capfd, "adapters", "import", two[0], "--model", other, code=1)
    assert "no linear matrix" in err
    assert answer(capfd, "adapters", "list") == {"deed": "list", "adapters": []}
    assert "neither a folder" in answer(capfd, "merge", "--adapter", "x", "--out", "y", code=1)
    bad = ["adapters", "mix", "--adapter", f"{two[0]}=much", "--out", tmp_path / "m"]
    assert "neither a strength" in answer(capfd, *bad, code=1)


def test_a_whole_model_is_no_adapter(model, two, tmp_path, capfd):
    for asked in (
        ["merge", "--adapter", model, "--out", tmp_path / "w"],
        ["adapters", "prove", "--adapter", model],
        [
            "adapters",
            "mix",
            "--adapter",
            f"{model}=1",
            "--adapter",
            two[0],
            "--out",
            tmp_path / "m",
        ],
    ):
        assert "trained in all its weights" in answer(capfd, *asked, code=1)


@pytest.mark.parametrize("language", ["en", "es", "gl"])
def test_people_are_told_in_sentences(model, two, tmp_path, capfd, language):
    spoken = ["--lang", language]
    for asked in (
        ["adapters", "import", two[0]],
        ["adapters", "list"],
        ["adapters", "prove", "--adapter", two[0]],
        ["adapters", "mix", "--adapter", two[0], "--out", tmp_path / "m", "--compress-rank", 2],
        ["merge", "--adapter", two[0], "--out", tmp_path / "w", "--precision", "bfloat16"],
    ):
        assert main([*map(str, asked), *spoken], None) == 0
        out = capfd.readouterr().out
        assert out.strip() and "{" not in out


def columns(events, count):
    texts = [""] * count
    for event in events:
        for piece in event.get("pieces", ()):
            texts[piece["column"]] += piece["text"]
    return texts


def test_a_live_mixture_answers_as_the_saved_one(model, two, tmp_path, capfd):
    asked = ["--adapter", f"{two[0]}=1.5", "--adapter", f"{two[1]}=-0.5"]
    answer(capfd, "adapters", "mix", *asked, "--out", tmp_path / "mix")
    given = {"temperature": 0, "max_new_tokens": 12, "measure": False}
    dials = [(str(two[0]), 1.5), (str(two[1]), -0.5)]
    *_, live = columns(lab.compare(str(model), dials, ["cat"], mixture=True, **given), 4)
    saved = columns(lab.compare(str(model), [(str(tmp_path / "mix"), 1.0)], ["cat"], **given), 2)
    assert live == saved[1] != saved[0]
