"""The command line on a real, tiny model: train, compare, evaluate, stop, resume."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lora_lab.cli.main import main
from tests import tiny_models

ROOT = Path(__file__).parents[2]
TRAIN_KEYS = {
    "run",
    "adapter",
    "base_folder",
    "trainable",
    "steps",
    "first_loss",
    "last_loss",
    "heldout_loss_before",
    "heldout_loss",
    "seconds",
    "tokens_per_second",
    "peak_memory_bytes",
    "base_hash_before",
    "base_hash_after",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A model and a data file."""
    place = tmp_path_factory.mktemp("place")
    tiny_models.save("llama", place / "model")
    rows = "".join(f"the cat and the dog went to the sea {n}\n" for n in range(40))
    (place / "data.csv").write_text("text\n" + rows)
    return place


@pytest.fixture(scope="module", autouse=True)
def environment(place):
    """One home for the whole module: what was trained once is compared, listed and resumed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LORA_LAB_HOME", str(place / "home"))
        patch.setenv("LORA_LAB_LANG", "en")
        yield


@pytest.fixture
def home(place):
    return place / "home"


def settings(place, *more):
    given = {"--model": place / "model", "--data": place / "data.csv", "--precision": "float32"}
    given |= {"--rank": 4, "--targets": "linear", "--batch-size": 8, "--max-length": 64}
    given |= {"--learning-rate": 0.02, "--evaluate-every": 10}
    return [str(part) for pair in given.items() for part in pair] + [str(part) for part in more]


def answer(capfd, *arguments, code=0):
    """The JSON object of a verb, which must be all of stdout."""
    capfd.readouterr()
    ended = main([*map(str, arguments), "--json"], None)
    out, err = capfd.readouterr()
    assert ended == code, err
    assert "Traceback" not in err
    assert out.count("\n") == 1 and out.endswith("\n")
    return json.loads(out)


@pytest.fixture(scope="module")
def adapter(place):
    return place / "adapter"


@pytest.fixture(scope="module")
def trained(place, adapter):
    command = [sys.executable, "-m", "lora_lab", "train", *settings(place, "--steps", 30)]
    done = subprocess.run(
        [*command, "--out", str(adapter), "--json"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "held-out loss" in done.stderr and "Traceback" not in done.stderr
    (line,) = done.stdout.splitlines()
    return json.loads(line)


def test_train_tells_all_its_figures(trained, place, adapter):
    assert set(trained) >= TRAIN_KEYS
    assert trained["heldout_loss"] < trained["heldout_loss_before"]
    assert trained["last_loss"] < trained["first_loss"]
    assert trained["base_hash_before"] == trained["base_hash_after"]
    assert trained["steps"] == 30 and trained["state"] == "done"
    assert trained["trainable"] == 2 * 4 * (2 * (32 + 32) + 2 * (32 + 16) + 3 * (32 + 48))
    assert trained["adapter"] == str(adapter)
    assert Path(trained["base_folder"]) == place / "model"
    assert (adapter / "adapter_config.json").exists()
    assert (adapter / "adapter_model.safetensors").exists()


def test_the_adapter_loads_in_peft(trained, place, adapter):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(place / "model")
    ids = torch.arange(20)[None]
    with torch.no_grad():
        before = model(ids).logits
        after = PeftModel.from_pretrained(model, adapter)(ids).logits
    assert not torch.allclose(before, after, atol=1e-3)


def test_compare_tells_texts_times_and_losses(trained, place, adapter, capfd):
    told = answer(
        capfd,
        *("compare", "--model", place / "model", "--precision", "float32", "--temperature", 0),
        *("--adapter", adapter, "--adapter", f"{trained['run']}=0"),
        *("--prompt", "the cat", "--prompt", "the dog and", "--max-new-tokens", 16),
    )
    assert [prompt["prompt"] for prompt in told["prompts"]] == ["the cat", "the dog and"]
    for prompt in told["prompts"]:
        assert set(prompt["adapted"]) == {str(adapter), trained["run"]}
        assert prompt["adapted"][trained["run"]] == prompt["base"]
        assert prompt["adapted"][str(adapter)] != prompt["base"]
    assert told["ms_per_token"]["base"] > 0 and len(told["ms_per_token"]["adapted"]) == 2
    (heldout,) = told["heldout"]
    assert heldout["data"] == "data.csv"
    assert heldout["base"] == pytest.approx(trained["heldout_loss_before"], rel=1e-4)
    assert heldout["adapted"][str(adapter)] == pytest.approx(trained["heldout_loss"], rel=1e-4)
    english = told["base_text"]
    assert english["base"] == pytest.approx(trained["base_text_loss_before"], rel=1e-4)
    assert english["adapted"][str(adapter)] == pytest.approx(trained["base_text_loss"], rel=1e-4)
    assert not told["warnings"]


def test_compare_for_people_shows_each_answer_under_its_name(trained, place, adapter, capfd):
    asked = ["compare", "--model", place / "model", "--adapter", adapter, "--prompt", "the cat"]
    assert main([str(part) for part in [*asked, "--max-new-tokens", 8, "--lang", "es"]], None) == 0
    out = capfd.readouterr().out
    assert "> the cat" in out and "── la base" in out and f"── {adapter}" in out
    assert "ms por token" in out and "Pérdida en data.csv" in out


def test_evaluate_measures_a_whole_file(trained, place, adapter, capfd):
    told = answer(capfd, "evaluate", *settings(place)[:6], "--adapter", adapter)
    assert told["data"] == "data.csv" and told["rows"] == 40
    assert told["adapted"][str(adapter)] < told["base"]


def test_the_base_itself_is_cut_beside_an_update(trained, place, adapter, capfd):
    asked = ("factorise", "--model", place / "model", "--targets", "attention-qv")
    cut = answer(capfd, *asked, "--rank", 1, "--adapter", adapter)
    assert cut["original"] == 2 * (32 * 32 + 16 * 32)
    assert cut["kept"] == 2 * ((32 + 32) + (16 + 32))
    assert cut["data"] == "data.csv" and 0 < cut["relative_error"] < 1
    assert cut["base_loss"] == pytest.approx(trained["heldout_loss_before"], rel=1e-4)
    (beside,) = cut["adapters"]
    assert beside["adapter"] == str(adapter) and beside["trainable"] == trained["trainable"]
    assert beside["loss"] == pytest.approx(trained["heldout_loss"], rel=1e-4)
    whole = answer(capfd, *asked, "--rank", 32, "--data", place / "data.csv")
    assert whole["loss"] == pytest.approx(whole["base_loss"], rel=1e-4)
    assert main([*map(str, asked), "--rank", "1", "--adapter", str(adapter)], None) == 0
    out = capfd.readouterr().out
    assert "W0 cut to rank 1" in out and "an update of rank 4" in out


def test_an_update_is_compressed_to_ever_lower_ranks(trained, adapter, capfd):
    told = answer(capfd, "spectrum", "--adapter", adapter, "--compress")
    assert [each["rank"] for each in told["compressed"]] == [1, 2, 4]
    assert told["base_loss"] == pytest.approx(trained["heldout_loss_before"], rel=1e-4)
    assert told["compressed"][-1]["loss"] == pytest.approx(trained["heldout_loss"], rel=1e-4)
    assert told["compressed"][-1]["trainable"] == trained["trainable"]
    assert main(["spectrum", "--adapter", str(adapter), "--compress"], None) == 0
    assert "Compressed to rank 4" in capfd.readouterr().out


def test_a_model_it_does_not_fit_is_said(trained, place, adapter, capfd):
    other = place / "other"
    tiny_models.save("gpt2", other)
    asked = ["compare", "--model", other, "--adapter", adapter, "--prompt", "the cat", "--json"]
    assert main([str(part) for part in asked], None) == 1
    out, err = capfd.readouterr()
    assert not out and "no linear matrix" in err and "Traceback" not in err


def test_runs_lists_it(trained, capfd):
    told = answer(capfd, "runs")
    assert trained["run"] in [run["id"] for run in told["runs"]]


def test_ctrl_c_stops_with_the_adapter_kept_and_resume_goes_on(place, home, capfd):
    """The signal is sent when the first step has been told."""
    command = [sys.executable, "-m", "lora_lab", "train", *settings(place, "--steps", 4000)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        for line in running.stderr:
            if line.startswith("Step") and "tokens/s" in line:
                break
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130 and not out and "Traceback" not in err
    told = answer(capfd, "runs")["runs"][0]
    assert told["state"] == "stopped" and 0 < told["result"]["steps"] < 4000
    run = home / "runs" / told["id"]
    assert (run / "adapter" / "adapter_model.safetensors").exists()
    config = json.loads((run / "config.json").read_text())
    config["settings"]["steps"] = told["result"]["steps"] + 5
    (run / "config.json").write_text(json.dumps(config))
    resumed = answer(capfd, "resume", told["id"], "--out", place / "resumed")
    assert resumed["state"] == "done" and resumed["steps"] == config["settings"]["steps"]
    assert (place / "resumed" / "adapter_config.json").exists()


def test_a_run_that_fails_says_why(place, capfd):
    asked = ["train", *settings(place, "--steps", 5, "--learning-rate", 1, "--alpha", 1024)]
    assert main([*asked, "--model", str(place / "nowhere"), "--json"], None) == 1
    out, err = capfd.readouterr()
    assert not out and "nowhere" in err and "Traceback" not in err


def test_a_race_is_resumed_and_told_as_a_race(place, capfd):
    flags = ("--ranks", "1,2", *settings(place, "--steps", 2))
    ladder = answer(capfd, "ladder", *flags)
    run = Path(ladder["folder"])
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps({**status, "state": "stopped"}))
    resumed = answer(capfd, "resume", ladder["run"])
    assert resumed["state"] == "done"
    assert [arm["rank"] for arm in resumed["arms"]] == [1, 2]
    (run / "status.json").write_text(json.dumps({**status, "state": "stopped"}))
    assert main(["resume", ladder["run"]], None) == 0
    assert capfd.readouterr().out.count("rank") >= 2
    assert main(["runs"], None) == 0
    (line,) = (line for line in capfd.readouterr().out.splitlines() if ladder["run"] in line)
    assert line.endswith("data.csv  Rank race")
