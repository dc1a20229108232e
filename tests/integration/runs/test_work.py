"""A run from its folder to its adapter, and every way in which it can end."""

import json
import resource
import subprocess
import sys

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from lora_lab import lab
from lora_lab.evaluation.forgetting import base_text_loss
from lora_lab.lora import attaching, peft_format
from lora_lab.models import loading, sources
from lora_lab.runs import texts
from lora_lab.runs.worker import run_to_its_end
from lora_lab.training import loop, rates


def of_kind(run, kind):
    return [event for event in run.events()[0] if event["kind"] == kind]


def adapter_bytes(run):
    return (run.adapter / peft_format.TENSORS).read_bytes()


def test_a_run_learns_says_so_and_leaves_its_base_alone(queued):
    run = queued(steps=40, learning_rate=0.02, targets="linear")
    run_to_its_end(run)
    assert run.status()["state"] == "done"
    result = run.result()
    assert result["heldout_loss"] < result["heldout_loss_before"]
    assert result["base_hash_before"] == result["base_hash_after"]
    steps = [event["step"] for event in of_kind(run, "train")]
    assert steps[:2] == [1, 2] and steps[-1] == 40
    last = of_kind(run, "train")[-1]
    assert last["tokens_per_second"] > 0 and last["memory_bytes"] > 1e6
    assert of_kind(run, "start")[0]["trainable"] == lab.count(run.settings)["trainable"]
    assert of_kind(run, "start")[0]["total"] == lab.count(run.settings)["total"]
    assert run.config["base"]["source"].startswith("folder:")


def test_the_adapter_loads_in_peft_and_changes_what_the_base_says(queued, tiny):
    run = queued(steps=20, learning_rate=0.02)
    run_to_its_end(run)
    base = AutoModelForCausalLM.from_pretrained(tiny)
    ids = torch.arange(8)[None]
    before = base(ids).logits
    adapted = PeftModel.from_pretrained(base, run.adapter)
    assert not torch.allclose(adapted(ids).logits, before)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(queued):
    runs = [queued(seed=1), queued(seed=1), queued(seed=2)]
    for run in runs:
        run_to_its_end(run)
    first, again, other = map(adapter_bytes, runs)
    assert first == again != other


def test_the_adapter_kept_is_the_one_with_the_lowest_heldout_loss(queued):
    run = queued(steps=20, learning_rate=0.3, alpha=64, evaluate_every=2)
    run_to_its_end(run)
    losses = {event["step"]: event["loss"] for event in of_kind(run, "heldout") if event["step"]}
    result = run.result()
    assert result["heldout_loss"] == min(losses.values())
    assert losses[result["best_step"]] == result["heldout_loss"]


def test_patience_stops_early(queued):
    run = queued(steps=400, learning_rate=0.5, alpha=64, evaluate_every=1, patience=2)
    run_to_its_end(run)
    assert run.status()["state"] == "done"
    losses = [event["loss"] for event in of_kind(run, "heldout") if event["step"]]
    assert len(losses) < 400
    assert min(losses) == losses[-3]


class Interrupting:
    """Do something when a given step is about to begin."""

    def __init__(self, monkeypatch, step, act):
        real = loop._Training._step

        def stepped(training):
            if training.progress.step == step:
                act()
            return real(training)

        monkeypatch.setattr(loop._Training, "_step", stepped)


def test_a_stop_stops_within_a_step_keeps_the_adapter_and_leaves_no_trace(queued, monkeypatch):
    undisturbed, run = queued(dropout=0.1), queued(dropout=0.1)
    run_to_its_end(undisturbed)
    with monkeypatch.context() as patch:
        Interrupting(patch, 6, lambda: lab.stop(run.id, "ana"))
        run_to_its_end(run)
    assert run.status()["state"] == "stopped"
    assert run.result()["steps"] == 7
    assert peft_format.load(run.adapter).rank == 8
    lab.resume(run.id, "ana")
    run_to_its_end(run)
    assert run.status()["state"] == "done"
    assert adapter_bytes(run) == adapter_bytes(undisturbed)


@pytest.mark.parametrize("told", [{"dropout": 0.1}, {"threads": 2}], ids=["dropout", "shares"])
def test_a_fault_in_the_middle_resumes_exactly_from_the_last_checkpoint(queued, monkeypatch, told):
    undisturbed, run = queued(**told), queued(**told)
    run_to_its_end(undisturbed)

    def fail():
        raise MemoryError

    with monkeypatch.context() as patch:
        Interrupting(patch, 6, fail)
        run_to_its_end(run)
    assert run.status()["state"] == "failed"
    assert run.status()["error"]["key"] == "out_of_memory"
    lab.resume(run.id, "ana")
    run_to_its_end(run)
    assert adapter_bytes(run) == adapter_bytes(undisturbed)
    steps = [event["step"] for event in of_kind(run, "heldout")]
    assert steps == sorted(set(steps)), "what a resume does again is told once"


def test_a_loss_that_is_no_number_ends_the_run_with_a_remedy(queued, monkeypatch):
    run = queued()

    def spoil():
        # What a far too large update leaves behind.
        torch.nn.utils.clip_grad_norm_ = lambda *_: torch.tensor(float("nan"))

    kept = torch.nn.utils.clip_grad_norm_
    try:
        Interrupting(monkeypatch, 5, spoil)
        run_to_its_end(run)
    finally:
        torch.nn.utils.clip_grad_norm_ = kept
    error = run.status()["error"]
    assert (run.status()["state"], error["key"]) == ("failed", "loss_not_finite")
    assert error["facts"]["step"] == 6
    assert (run.checkpoints / "latest").read_text() == "step-000004"


LIMITED = """
import resource, sys
from pathlib import Path
from lora_lab.runs import work
from lora_lab.runs.folder import Run
from lora_lab.runs.worker import run_to_its_end
kind, limit = getattr(resource, sys.argv[2]), int(sys.argv[3])
train = work.loop.train
def limited_train(*arguments):
    held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    soft = held if sys.argv[2] == "RLIMIT_AS" else limit
    resource.setrlimit(kind, (soft, resource.getrlimit(kind)[1]))
    return train(*arguments)
work.loop.train = limited_train
run_to_its_end(Run(Path(sys.argv[1])))
"""


def limited(run, kind, limit):
    told = subprocess.run(
        [sys.executable, "-c", LIMITED, run.path, kind, str(limit)], capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr


def test_a_full_disk_is_named_and_the_run_goes_on_once_there_is_room(queued):
    undisturbed, run = queued(rank=64, targets="linear"), queued(rank=64, targets="linear")
    run_to_its_end(undisturbed)
    limited(run, "RLIMIT_FSIZE", 70_000)  # no file may grow past this: a checkpoint's do
    assert run.status()["state"] == "failed"
    assert run.status()["error"]["key"] == "disk_full", run.log.read_text()
    assert not (run.path / "reserve").exists()
    lab.resume(run.id, "ana")
    run_to_its_end(run)
    assert adapter_bytes(run) == adapter_bytes(undisturbed)


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_AS"), reason="this system has no such limit")
def test_exhausted_memory_is_named(queued):
    run = queued(batch_size=512, rank=256, targets="linear")
    limited(run, "RLIMIT_AS", 0)  # no more than the process holds when the training begins
    assert run.status()["state"] == "failed"
    assert run.status()["error"]["key"] == "out_of_memory", run.log.read_text()


def test_a_base_that_changed_is_not_resumed_on(queued, tiny, tmp_path, monkeypatch):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    run = queued(model=str(copy))
    with monkeypatch.context() as patch:
        Interrupting(patch, 6, lambda: lab.stop(run.id, "ana"))
        run_to_its_end(run)
    weights = load_file(copy / "model.safetensors")
    from safetensors.torch import save_file

    weights["model.norm.weight"] += 1
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    lab.resume(run.id, "ana")
    run_to_its_end(run)
    assert run.status()["error"]["key"] == "base_changed"


def test_a_model_that_cannot_be_had_ends_the_run_calmly(queued, tiny, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    run = queued(model=str(copy))
    (copy / "model.safetensors").unlink()
    run_to_its_end(run)
    assert run.status()["state"] == "failed"
    assert run.status()["error"]["key"] != "unexpected"


def test_the_config_is_enough_to_do_it_again(queued):
    run = queued(seed=3)
    run_to_its_end(run)
    told = json.loads((run.path / "config.json").read_text())
    assert told["settings"]["seed"] == 3
    assert told["machine"] == {"device": "cpu", "precision": "float32", "threads": 1, "shares": 1}
    assert {"torch", "transformers", "python"} <= told["versions"].keys()
    assert len(told["data"]["fingerprint"]) == 64


def test_full_fine_tuning_is_a_model_that_transformers_loads(queued, tiny):
    run = queued(steps=20, method="full", learning_rate=0.01)
    run_to_its_end(run)
    assert run.status()["state"] == "done", run.status()
    result = run.result()
    assert result["heldout_loss"] < result["heldout_loss_before"]
    assert result["base_hash_before"] != result["base_hash_after"]
    assert of_kind(run, "start")[0]["trainable"] == of_kind(run, "start")[0]["total"]
    ids = torch.arange(8)[None]
    made = AutoModelForCausalLM.from_pretrained(run.adapter)
    assert loading.base_hash(made) == result["base_hash_after"]
    (text,) = texts.heldout([run.adapter])
    assert text.dataset.name == "stories.csv", "a comparison measures it on its own held-out rows"
    assert not torch.equal(made(ids).logits, AutoModelForCausalLM.from_pretrained(tiny)(ids).logits)


@pytest.mark.parametrize("method", ["prefix", "lora-prefix"])
def test_a_prefix_starts_from_the_base_s_own_loss_and_learns(queued, tiny, method):
    chosen = {"method": method, "prefix_tokens": 4, "learning_rate": 0.05, "steps": 20}
    run, lora = queued(**chosen), queued(steps=4)
    for each in (run, lora):
        run_to_its_end(each)
        assert each.status()["state"] == "done", each.status()
    result = run.result()
    assert result["heldout_loss_before"] == lora.result()["heldout_loss_before"]
    assert result["base_text_loss_before"] == lora.result()["base_text_loss_before"]
    losses = [event["loss"] for event in of_kind(run, "heldout") if event["step"]]
    assert result["heldout_loss"] == min(losses) < losses[0]
    assert result["base_hash_before"] == result["base_hash_after"]
    kept = peft_format.load(run.adapter)
    assert kept.prefix.shape[0] == 4 and bool(kept.tensors) == (method == "lora-prefix")
    trained = sum(t.numel() for pair in kept.tensors.values() for t in pair) + kept.prefix.numel()
    assert of_kind(run, "start")[0]["trainable"] == trained
    base = AutoModelForCausalLM.from_pretrained(tiny)
    assert PeftModel.from_pretrained(base, run.adapter) is not None


def test_a_prefix_run_resumed_is_the_run_never_stopped(queued):
    chosen = {"method": "lora-prefix", "prefix_tokens": 3, "steps": 8, "dropout": 0.1}
    whole, halved = queued(**chosen), queued(**chosen)
    run_to_its_end(whole)
    halved.ask_to_stop()
    run_to_its_end(halved)
    assert halved.status()["state"] == "stopped"
    halved.requeue()
    run_to_its_end(halved)
    assert adapter_bytes(halved) == adapter_bytes(whole)
    prefixes = [peft_format.load(run.adapter).prefix for run in (whole, halved)]
    assert torch.equal(*prefixes)


def test_what_training_on_a_task_forgets_is_measured_at_both_ends(queued, tiny):
    run = queued(steps=20, learning_rate=0.05, targets="linear")
    run_to_its_end(run)
    before, after = of_kind(run, "base_text")
    model, tokenizer = loading.load(sources.fetch(str(tiny)), torch.float32)
    assert before["loss"] == run.result()["base_text_loss_before"]
    assert before["loss"] == pytest.approx(base_text_loss(model, tokenizer), rel=1e-5)
    attaching.add(model, "learned", peft_format.load(run.adapter))
    assert after["loss"] == run.result()["base_text_loss"] != before["loss"]
    assert after["loss"] == pytest.approx(base_text_loss(model, tokenizer), rel=1e-5)


def test_a_rate_that_nobody_chose_stands_in_the_config(queued):
    assert queued().settings.learning_rate == 0.02
    assert queued(rank=64).settings.learning_rate < queued().settings.learning_rate
    assert queued(method="full").settings.learning_rate == 0.005
    assert queued(method="prefix").settings.learning_rate == rates.PREFIX
    assert queued(learning_rate=0.5).settings.learning_rate == 0.5
