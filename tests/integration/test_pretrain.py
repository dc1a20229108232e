"""The recipe as a person runs it: killed and resumed, cut short, refused."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

SCRIPT = Path(__file__).parents[2] / "scripts" / "pretrain"
TINY = "--vocabulary 300 --width 32 --layers 1 --heads 2 --hidden 32 --rows 4 --length 32"
NAMES = ["Lily", "Tom", "Nora", "Ben", "Mia", "Sam", "Ada", "Omar"]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "stories.txt"
    stories = [f"Once {name} had {n} red balls and a dog.\n" for name in NAMES for n in range(20)]
    path.write_text("<|endoftext|>\n".join(stories))
    return path


def command(text, out, *flags):
    asked = [*TINY.split(), "--warmup", "2", "--threads", "1", *flags]
    return [sys.executable, str(SCRIPT), str(text), "--out", str(out), *asked]


def run(text, out, *flags):
    subprocess.run(command(text, out, *flags), check=True, capture_output=True, timeout=300)
    return (out / "model" / "model.safetensors").read_bytes()


def test_killed_and_resumed_is_the_same_bit_for_bit(text, tmp_path):
    flags = ("--steps", "30", "--decay", "10")
    whole = run(text, tmp_path / "whole", *flags)
    eager = (*flags, "--checkpoint-seconds", "0", "--score-every", "1")
    killed = command(text, tmp_path / "cut", *eager)
    with subprocess.Popen(killed, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if json.loads(line)["step"] == 12:
                process.kill()
                break
    assert (tmp_path / "cut" / "checkpoint.pt").exists()
    assert not (tmp_path / "cut" / "model").exists()
    assert run(text, tmp_path / "cut", *eager) == whole
    log = (tmp_path / "cut" / "log.jsonl").read_text().splitlines()
    scored = [json.loads(line)["step"] for line in log if "heldout" in line]
    assert scored == [*range(1, 31), 30]


def test_a_decay_begun_early_is_the_shorter_recipe(text, tmp_path):
    long, short = tmp_path / "long", tmp_path / "short"
    run(text, long, "--steps", "20", "--decay", "0")
    early = run(text, long, "--decay-from-now", "--decay", "10")
    assert early == run(text, short, "--steps", "30", "--decay", "10")
    recipes = [json.loads((out / "recipe.json").read_text()) for out in (long, short)]
    assert recipes[0] == recipes[1]


def test_the_model_is_the_mean_of_the_ends_of_its_falls(text, tmp_path):
    run(text, tmp_path, "--steps", "20", "--decay", "10")
    run(text, tmp_path, "--decay-from-now", "--decay", "10")
    first, second = (load_file(path) for path in sorted(tmp_path.glob("end-*.safetensors")))
    model = load_file(tmp_path / "model" / "model.safetensors")
    for name, weight in model.items():
        np.testing.assert_allclose(weight, (first[name] + second[name]) / 2, rtol=1e-6, atol=1e-7)
        assert not np.array_equal(first[name], second[name])


def test_it_learns_and_counts_bits(text, tmp_path):
    run(text, tmp_path, "--steps", "60", "--decay", "20", "--score-every", "1")
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    bits = [line["heldout_bits_per_byte"] for line in log if "heldout_bits_per_byte" in line]
    assert bits[0] > 2 * bits[-1] > 0
    weights = load_file(tmp_path / "model" / "model.safetensors")
    assert {str(weight.dtype) for weight in weights.values()} == {"float32"}


def test_another_recipe_does_not_go_on_from_a_checkpoint(text, tmp_path):
    run(text, tmp_path, "--steps", "2", "--decay", "1")
    other = command(text, tmp_path, "--steps", "2", "--decay", "1", "--seed", "7")
    refused = subprocess.run(other, capture_output=True, text=True, timeout=300)
    assert refused.returncode == 1
    assert "belongs to another recipe" in refused.stderr
    assert "Traceback" not in refused.stderr
