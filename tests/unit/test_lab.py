"""The use cases that need no torch: what the page does between two clicks."""

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from lora_lab import lab
from lora_lab.config import Settings
from lora_lab.errors import LabError
from lora_lab.lab.training import MOST_WAITING
from lora_lab.models import catalogue
from lora_lab.runs import folder, queue
from tests.expecting import lab_error

ROOT = Path(__file__).parents[2]
SMOL = Settings(model="smollm2-135m-instruct", targets="attention-qv", rank=8)


@pytest.fixture
def stories(tmp_path):
    path = tmp_path / "stories.csv"
    path.write_text("text\n" + "".join(f"Story {i} of a boat and the sea.\n" for i in range(40)))
    return path


def test_the_count_is_the_papers_arithmetic():
    told = lab.count(SMOL)
    # 30 layers, rank 8: queries 576 -> 576 and values 576 -> 192.
    assert told["trainable"] == 30 * 8 * ((576 + 576) + (576 + 192)) == 460_800
    assert told["total"] == 134_515_008
    assert told["percent"] == pytest.approx(100 * 460_800 / 134_515_008)


def test_twice_the_rank_trains_twice_as_much():
    once, twice = (lab.count(replace(SMOL, rank=rank))["trainable"] for rank in (4, 8))
    assert twice == 2 * once


def test_what_the_page_calls_between_clicks_imports_nothing_heavy():
    script = """
import sys
from lora_lab import lab
from lora_lab.config import Settings
lab.models(), lab.sample_datasets(), lab.runs("ana")
lab.count(Settings()), lab.forecast(Settings())
heavy = {"torch", "transformers", "datasets", "pyarrow", "pandas", "matplotlib"}
print(sorted(heavy & sys.modules.keys()))
"""
    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert told.stdout == "[]\n", told.stderr


@pytest.mark.parametrize(
    ("name", "more"),
    [("batch_size", 32), ("max_length", 512), ("accumulation", 4), ("steps", 500), ("rank", 256)],
)
def test_more_of_it_takes_longer(name, more):
    reading = {"mean_tokens": 400.0, "supervised_share": 0.5}
    base, longer = (lab.forecast(s, reading) for s in (SMOL, replace(SMOL, **{name: more})))
    assert longer["seconds"] > base["seconds"]


@pytest.mark.parametrize(
    ("name", "more"), [("batch_size", 32), ("rank", 256), ("targets", "linear")]
)
def test_more_of_it_takes_more_memory(name, more):
    base, larger = (lab.forecast(s) for s in (SMOL, replace(SMOL, **{name: more})))
    assert larger["memory_bytes"] > base["memory_bytes"]


def test_every_model_of_the_catalogue_is_counted_and_foretold():
    for model in catalogue.CATALOGUE:
        settings = replace(SMOL, model=model.name)
        assert 0 < lab.count(settings)["percent"] < 5
        assert lab.forecast(settings)["memory_bytes"] > model.parameters


def test_faulty_data_is_told_before_a_run_exists(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("text\nfine\n\x00\n")
    with pytest.raises(Exception) as caught:
        lab.start(SMOL, "ana", path, "bad.csv")
    assert caught.value.where["file"] == "bad.csv"
    assert lab.runs("ana") == []


def test_a_run_too_large_for_the_machine_is_refused_before_it_starts(stories):
    huge = replace(SMOL, batch_size=512, max_length=8192, targets="linear")
    with lab_error("not_enough_memory"):
        lab.start(huge, "ana", stories, "s.csv", {"mean_tokens": 8192.0})
    assert lab.runs("ana") == []


def test_nobody_fills_the_queue(stories):
    for _ in range(MOST_WAITING):
        lab.start(SMOL, "ana", stories, "s.csv")
    with lab_error("too_many_waiting"):
        lab.start(SMOL, "ana", stories, "s.csv")
    assert lab.start(SMOL, "brais", stories, "s.csv")


def test_a_run_is_its_owners(stories):
    run = lab.start(SMOL, "ana", stories, "s.csv")
    for strange in (lab.stop, lab.resume, lab.delete, lab.run, lab.events, lab.place_in_queue):
        with lab_error("no_such_run"):
            strange(run, "brais")
    assert lab.run(run, "ana")["state"] == "queued"


def test_only_a_run_that_stands_still_is_resumed(stories):
    run = lab.start(SMOL, "ana", stories, "s.csv")
    with lab_error("run_not_resumable"):
        lab.resume(run, "ana")
    lab.stop(run, "ana")
    lab.resume(run, "ana")
    assert lab.run(run, "ana")["state"] == "queued"


def test_a_resume_asks_for_what_a_start_asks_for(stories):
    stopped = lab.start(SMOL, "ana", stories, "s.csv")
    lab.stop(stopped, "ana")
    for _ in range(MOST_WAITING):
        lab.start(SMOL, "ana", stories, "s.csv")
    with lab_error("too_many_waiting"):
        lab.resume(stopped, "ana")
    huge = folder.find(lab.start(SMOL, "brais", stories, "s.csv"))
    lab.stop(huge.id, "brais")
    huge.note(forecast={**huge.config["forecast"], "memory_bytes": 1 << 60})
    with lab_error("not_enough_memory"):
        lab.resume(huge.id, "brais")


def test_two_languages_are_queued_together_or_not_at_all(stories):
    for _ in range(MOST_WAITING - 1):
        lab.start(SMOL, "ana", stories, "s.csv")
    with lab_error("too_many_waiting"):
        lab.start_languages("ana")
    assert len(lab.runs("ana")) == MOST_WAITING - 1


def test_a_race_may_take_as_many_steps_as_a_run(stories):
    race = {"ranks": [1, 2, 4, 8], "seeds": 5}
    lab.planned("race", Settings(steps=5000), race, "one")
    for steps, rate in ((5001, "one"), (5000, "search")):
        with lab_error("too_many_steps"):
            lab.planned("race", Settings(steps=steps), race, rate)


def test_a_list_is_told_while_others_delete_what_is_on_it(stories):
    """Every run goes while it is being listed: no listing breaks, and none tells a run twice."""
    ids = [lab.start(SMOL, who, stories, "s.csv") for who in ("ana", "brais") * 8]
    gone = threading.Event()

    def delete():
        for run in ids:
            lab.delete(run, folder.find(run).owner)
        gone.set()

    deleting = threading.Thread(target=delete)
    deleting.start()
    while not gone.is_set():
        told = [run["id"] for run in lab.runs("ana")]
        assert len(told) == len(set(told))
        assert len(queue.look().waiting) <= len(ids)
        lab.shelf("ana")
    deleting.join()
    assert lab.runs("ana") == [] and queue.look().waiting == []


def test_of_two_who_delete_one_run_one_is_told_it_is_gone(stories):
    run = folder.find(lab.start(SMOL, "ana", stories, "s.csv"))
    run.delete()
    for late in (run.delete, run.status, lambda: run.config, run.requeue, run.take_out):
        with lab_error("no_such_run"):
            late()


def test_of_two_resumes_at_once_one_counts(stories):
    run = folder.find(lab.start(SMOL, "ana", stories, "s.csv"))
    lab.stop(run.id, "ana")
    heard = []

    def resume():
        try:
            run.requeue()
            heard.append("queued")
        except LabError as error:
            heard.append(error.key)

    pressed = [threading.Thread(target=resume) for _ in range(4)]
    for press in pressed:
        press.start()
    for press in pressed:
        press.join()
    assert sorted(heard) == ["queued", *["run_not_resumable"] * 3]


def test_what_a_worker_holds_is_neither_taken_out_nor_queued_nor_deleted(stories):
    run = folder.find(lab.start(SMOL, "ana", stories, "s.csv"))
    with run.lock():
        run.take_out()
        for refused in (run.requeue, run.delete):
            with pytest.raises(LabError):
                refused()
    assert run.status()["state"] == "queued"
