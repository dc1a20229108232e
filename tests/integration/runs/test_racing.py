"""An experiment through the worker: a run like any other, killed and resumed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lora_lab import lab
from lora_lab.config import Settings
from lora_lab.errors import LabError
from lora_lab.lora import peft_format
from lora_lab.runs import arms, folder, texts
from lora_lab.runs.worker import run_to_its_end
from lora_lab.shelf import entry

ROOT = Path(__file__).parents[3]
CHOICES = {"datasets": [""], "ranks": [1, 4], "others": ["full"], "seeds": 2}


@pytest.fixture
def prepared(tiny, stories):
    """Make a queued experiment: prepared(kind, choices, rate, **settings)."""
    list(lab.describe(str(tiny)))

    def make(kind="race", choices=CHOICES, rate="one", **settings):
        told = {"model": str(tiny), "data": "", "steps": 12, "max_length": 32, "threads": 1}
        told |= {"precision": "float32", "evaluate_every": 4, "checkpoint_every": 4, "dropout": 0.1}
        common = Settings(**(told | settings))
        files = {"": (stories, "stories.csv")}
        return folder.find(lab.start_experiment(kind, common, choices, "ana", rate, files))

    return make


def curves(run):
    """The held-out losses by arm, each told once."""
    told = {}
    for event in run.events()[0]:
        if event["kind"] == "heldout":
            told.setdefault(event["arm"], []).append((event["step"], event["loss"]))
    return told


def ends(run):
    return {e["arm"]: e for e in run.events()[0] if e["kind"] == "arm"}


def test_a_race_ends_with_an_adapter_for_each_arm(prepared, queued):
    run = prepared()
    run_to_its_end(run)
    assert run.status()["state"] == "done", run.status()
    told = lab.experiment(run.id, "ana")
    assert [group["label"] for group in told["groups"]] == ["1", "4", "full"]
    assert all(len(group["losses"]) == 2 for group in told["groups"])
    one, four, full = told["groups"]
    assert four["trainable"] == 4 * one["trainable"] < full["trainable"]
    assert one["adapter_bytes"] < four["adapter_bytes"] < full["adapter_bytes"]
    assert set(told["smallest"][""]) == {"rank", "best", "noise", "seeds"}
    adapter = peft_format.load(arms.adapter_folder(run, 1))
    assert adapter.rank == 4
    facts = peft_format.facts(arms.adapter_folder(run, 1))
    assert facts["result"]["heldout_loss"] == four["losses"][0]
    assert (arms.adapter_folder(run, 2) / "model.safetensors").exists()
    (text,) = texts.heldout([arms.adapter_folder(run, 1)])  # what an answer's loss is told on
    assert text.dataset.name == "stories.csv"
    kept = lab.shelve_arm(run.id, 1, "rank 4", "ana")
    assert texts.heldout([entry.find(kept).adapter])
    with pytest.raises(LabError):
        lab.shelve_arm(run.id, 2, "a whole model", "ana")
    with pytest.raises(LabError):
        lab.shelve_arm(run.id, 1, "not mine", "bea")
    last = run.events()[0][-2]
    assert last["kind"] == "result" and last["base_hash_before"] == last["base_hash_after"]
    # Rank 4 on seed 0 is the same run as one that is trained on its own.
    alone = queued(
        rank=4, alpha=8, dropout=0.1, learning_rate=four["learning_rate"], evaluate_every=2,
        sample_every=100_000,
    )  # fmt: skip
    run_to_its_end(alone)
    losses = [(e["step"], e["loss"]) for e in alone.events()[0] if e["kind"] == "heldout"]
    assert curves(run)[1] == losses


def test_a_killed_race_goes_on_and_ends_as_if_undisturbed(prepared):
    whole = prepared(steps=40)
    run_to_its_end(whole)
    run = prepared(steps=40)
    worker = subprocess.Popen([sys.executable, "-m", "lora_lab.runs.worker", run.path], cwd=ROOT)
    while not all((run.checkpoints / str(n) / "latest").exists() for n in range(6)):
        assert worker.poll() is None
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert run.status()["error"]["key"] == "worker_died"
    for _ in range(2):  # the second time there is nothing left to do
        run_to_its_end(run)
        assert run.status()["state"] == "done"
        assert curves(run) == curves(whole)
    assert ends(run).keys() == ends(whole).keys()
    for number in range(6):
        mine, theirs = (arms.adapter_folder(r, number) for r in (run, whole))
        for file in theirs.glob("*.safetensors"):
            assert (mine / file.name).read_bytes() == file.read_bytes()


def test_a_stopped_race_keeps_what_it_has_and_resumes(prepared):
    run = prepared(steps=30)
    run.ask_to_stop()
    run_to_its_end(run)
    assert run.status()["state"] == "stopped" and not ends(run)
    lab.resume(run.id, "ana")
    run_to_its_end(run)
    assert run.status()["state"] == "done" and len(ends(run)) == 6
    steps = {tuple(step for step, _ in curve) for curve in curves(run).values()}
    assert steps == {(0, 4, 8, 12, 16, 20, 24, 28, 30)}


def test_what_an_arm_that_is_lost_leaves_is_taken_away(prepared, monkeypatch):
    run, steps = prepared(choices={"datasets": [""], "ranks": [1, 4]}), []
    clip = torch.nn.utils.clip_grad_norm_

    def spoiled(*arguments):
        """What a far too large update leaves behind, once both arms have a checkpoint."""
        steps.append(len(list(run.checkpoints.glob("*/latest"))))
        return clip(*arguments) if max(steps) < 2 else torch.tensor(float("nan"))

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", spoiled)
    run_to_its_end(run)
    assert 2 in steps
    assert {end["state"] for end in ends(run).values()} == {"failed"}
    assert not list(run.checkpoints.glob("*"))


def test_rates_that_nobody_recorded_are_searched_and_shown(prepared):
    run = prepared(choices={"datasets": [""], "ranks": [1, 4], "seeds": 2}, rate="own")
    run_to_its_end(run)
    assert run.status()["state"] == "done", run.status()
    told = lab.experiment(run.id, "ana")
    for group in told["groups"]:
        points = {
            point["learning_rate"]: point["loss"]
            for point in told["searches"]
            if point["label"] == group["label"]
        }
        assert len(points) >= 3
        known = {rate: loss for rate, loss in points.items() if loss is not None}
        assert group["learning_rate"] == min(known, key=known.get)


@pytest.mark.parametrize(
    ("kind", "choices", "labels"),
    [
        ("few", {"rows": [8, 16]}, ["8", "8", "full", "full"]),
        ("grid", {"alphas": [8, 32], "rates": [0.001, 0.01]}, None),
        ("alpha", {"alphas": [4, 16]}, ["4", "16", "4", "16"]),
        ("race", {"datasets": [""], "ranks": [2], "others": ["prefix"]}, ["2", "prefix"]),
    ],
)
def test_other_experiments_are_arms_too(prepared, kind, choices, labels):
    run = prepared(kind, choices)
    run_to_its_end(run)
    assert run.status()["state"] == "done", run.status()
    told = lab.experiment(run.id, "ana")
    assert labels is None or [group["label"] for group in told["groups"]] == labels
    assert all(group["heldout_loss"] for group in told["groups"])


def test_inits_tell_what_they_make_of_the_base_at_step_0(prepared):
    run = prepared("init", {}, dropout=0.0)
    run_to_its_end(run)
    told = lab.experiment(run.id, "ana")
    begun = {group["label"]: group["begun"] for group in told["groups"]}
    base = {group["curve"][0][1] for group in told["groups"]}
    assert {begun["gaussian"], begun["zeros"]} == base
    assert begun["both-gaussian"] not in base
    after = {group["label"]: group["heldout_loss"] for group in told["groups"]}
    assert after["zeros"] == begun["zeros"] and after["gaussian"] < begun["gaussian"]


def test_what_is_too_large_goes_one_after_the_other(prepared):
    run = prepared()
    told = run.config["experiment"]
    assert told["together"] is True
    run.note(experiment={**told, "together": False})
    run_to_its_end(run)
    order = [e["arm"] for e in run.events()[0] if e["kind"] == "heldout"]
    assert order == sorted(order) and len(ends(run)) == 6


def test_config_is_json(prepared):
    assert json.loads((prepared().path / "config.json").read_text())["task"] == "race"
