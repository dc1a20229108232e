"""`factorise` from the command line and its use cases."""

import json

import numpy as np
import pytest
from PIL import Image

from lora_lab import lab
from lora_lab.cli.main import main
from tests import tiny_models


def answer(capfd, *arguments):
    assert main(["factorise", *map(str, arguments), "--json"], None) == 0
    out, _ = capfd.readouterr()
    assert out.count("\n") == 1
    return json.loads(out)


def test_nine_by_nine_at_rank_one_prints_81_and_18(capfd):
    told = answer(capfd, "--shape", "9x9", "--rank", 1)
    assert (told["original"], told["kept"]) == (81, 18)
    S = told["singular_values"]
    assert told["relative_error"] == pytest.approx(
        (sum(s * s for s in S[1:]) / sum(s * s for s in S)) ** 0.5
    )
    assert main(["factorise", "--shape", "9x9", "--rank", "1"], None) == 0
    out, _ = capfd.readouterr()
    assert "81" in out and "18" in out


def test_a_csv_and_a_picture(capfd, tmp_path):
    table, picture = tmp_path / "m.csv", tmp_path / "p.png"
    table.write_text("1,2\n2,4\n3,6\n")
    told = answer(capfd, table, "--rank", 1)
    assert told["kept"] == 5 and told["relative_error"] == pytest.approx(0, abs=1e-7)
    Image.fromarray(np.outer(range(20), range(10)).astype(np.uint8)).save(picture)
    told = answer(capfd, picture, "--rank", 1)
    assert (told["rows"], told["columns"]) == (20, 10)
    assert told["relative_error"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_weight_of_a_model_is_the_one_that_torch_sees(capfd, tmp_path, family):
    model = tiny_models.save(family, tmp_path / family)
    path = {"llama": "model.layers.1.self_attn.q_proj", "gpt2": "transformer.h.1.mlp.c_fc"}[family]
    told = answer(capfd, "--model", tmp_path / family, "--weight", path, "--rank", 3)
    import torch

    S = torch.linalg.svdvals(model.get_submodule(path).weight.detach())
    assert told["singular_values"] == pytest.approx(S.tolist(), rel=1e-4)
    assert told["relative_error"] == pytest.approx((S[3:].norm() / S.norm()).item(), rel=1e-4)


def test_bfloat16_and_float16_weights_are_read_right(tmp_path):
    import torch

    from lora_lab.models import matrices

    for dtype in (torch.bfloat16, torch.float16):
        model = tiny_models.save("llama", tmp_path / str(dtype), dtype=dtype)
        path = "model.layers.0.mlp.up_proj"
        read = matrices.read(tmp_path / str(dtype), path)
        assert np.array_equal(read, model.get_submodule(path).weight.detach().float().numpy())


@pytest.mark.parametrize(
    "arguments",
    [
        ("--rank", 1),
        ("--shape", "9", "--rank", 1),
        ("--shape", "0x9", "--rank", 1),
        ("--shape", "9x99999999999999999999", "--rank", 1),
        ("--shape", "²x9", "--rank", 1),
        ("--shape", "9x9", "--rank", 10),
        ("--shape", "9x9", "--weight", "model.norm", "--rank", 1),
        ("--weight", "model.norm", "--rank", 1),
        ("/nowhere.csv", "--rank", 1),
        ("--shape", "", "--rank", 1),
        ("--weight", "", "--rank", 1),
        ("--targets", "", "--rank", 1),
        ("--targets", "attention", "--shape", "9x9", "--rank", 1),
        ("--targets", "attention", "--rank", 0),
    ],
)
def test_what_cannot_be_factorised_is_a_problem_and_1(capfd, arguments):
    assert main(["factorise", *map(str, arguments), "--json"], None) == 1
    out, err = capfd.readouterr()
    assert not out and err and "Traceback" not in err
    assert "command-line.log" not in err


def test_gpt3_at_rank_one_on_queries_and_values_is_the_literatures_4_7_million(capfd):
    arguments = ["--model", "gpt3-175b", "--rank", "1", "--targets", "attention-qv", "--json"]
    assert main(["count", *arguments], None) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["trainable"] == 4_718_592
    assert round(told["percent"], 4) == 0.0027


def test_known_singular_values_are_enough():
    assert lab.truncated([4.0, 3.0], 2, 2, 1) == lab.factorise(np.diag([3.0, 4.0]), 1)
