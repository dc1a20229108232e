"""What LoRA saves: counted, and read from finished runs."""

import pytest

from lora_lab import lab
from lora_lab.config import Settings
from lora_lab.lab.cost import seconds_to
from lora_lab.runs import folder
from lora_lab.runs.folder import write_json

HELDOUT = [(0, 0.0, 5.0), (10, 4.0, 3.0), (20, 8.0, 2.0)]
EVENTS = [{"kind": "heldout", "step": s, "seconds": t, "loss": x} for s, t, x in HELDOUT]


def test_one_base_serves_many_tasks():
    one, ten = (lab.cost(Settings(model="smollm2-135m-instruct"), tasks) for tasks in (1, 10))
    adapter = lab.count(Settings(model="smollm2-135m-instruct"))["adapter_bytes"]
    base = 2 * 134_515_008
    assert one["lora"]["storage_bytes"] == base + adapter
    assert ten["lora"]["storage_bytes"] == base + 10 * adapter
    assert ten["full"]["storage_bytes"] == 10 * base


@pytest.mark.parametrize("model", ["tiny-stories", "smollm2-135m-instruct", "gpt3-175b"])
def test_full_fine_tuning_costs_more_of_everything(model):
    told = lab.cost(Settings(model=model, rank=1, targets="attention-qv"))
    lora, full = told["lora"], told["full"]
    for name in ("trainable", "percent", "memory_bytes", "storage_bytes"):
        assert lora[name] < full[name]
    for part in ("weights", "gradients", "optimizer"):
        assert lora["memory"][part] < full["memory"][part]
    assert full["trainable"] == told["total"] and full["percent"] == 100
    if model == "gpt3-175b":
        assert lora["trainable"] == 4_718_592


def test_the_time_to_a_loss_lies_between_two_measurements():
    assert seconds_to(4.0, EVENTS) == 2.0
    assert seconds_to(2.5, EVENTS) == 6.0
    assert seconds_to(2.0, EVENTS) == 8.0
    assert seconds_to(6.0, EVENTS) == 0.0
    assert seconds_to(1.9, EVENTS) is None
    assert seconds_to(1.0, []) is None


@pytest.fixture
def finished():
    """Makes a finished run of somebody's: its folder as a worker leaves it."""

    def make(owner, method, loss, fingerprint="same"):
        run = folder.create(
            Settings(method=method),
            owner,
            lambda path: path.mkdir(),
            data={"name": "a.csv", "fingerprint": fingerprint},
        )
        for step, seconds, each in [*HELDOUT[:2], (20, 8.0, loss)]:
            run.append("heldout", step=step, seconds=seconds, loss=each)
        figures = {"steps": 20, "tokens": 1000, "tokens_per_second": 100.0, "heldout_loss": loss}
        run.adapter.mkdir()
        told = {"result": {**figures, "peak_memory_bytes": 7}}
        write_json(run.adapter / "lora_lab.json", told)
        run.set_status("done")
        return run.id

    return make


def test_runs_of_the_same_data_are_measured_by_a_loss_that_all_reached(finished):
    lora, full = finished("me", "lora", 2.0), finished("me", "full", 2.5)
    finished("me", "lora", 1.0, fingerprint="other")
    finished("you", "lora", 0.5)
    other, same = sorted(lab.measured("me"), key=lambda group: len(group["runs"]))
    assert len(other["runs"]) == 1 and same["loss"] == 2.5
    told = {run["id"]: run for run in same["runs"]}
    assert set(told) == {lora, full}
    assert told[lora]["seconds_to_loss"] == 6.0 and told[full]["seconds_to_loss"] == 8.0
    assert told[lora]["seconds_a_step"] == pytest.approx(0.5)
    assert told[full]["method"] == "full" and told[full]["peak_memory_bytes"] == 7


def test_a_run_that_left_nothing_is_left_out():
    folder.create(Settings(), "me", lambda path: path.mkdir(), data={})
    assert lab.measured("me") == []
