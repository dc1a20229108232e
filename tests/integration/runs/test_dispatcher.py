"""Real workers, taken from a real queue, by one server or after it has gone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lora_lab import lab
from lora_lab.runs import dispatcher as dispatching
from lora_lab.runs import folder
from lora_lab.runs.dispatcher import Dispatcher

ROOT = Path(__file__).parents[3]
PATIENCE = 240.0  # seconds; a worker's imports take a while on a busy machine


def await_(condition):
    """Look again and again: what is awaited happens in another process."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def ended(run):
    return run.status()["state"] not in folder.ALIVE


@pytest.fixture
def dispatcher():
    at_work = Dispatcher()
    yield at_work
    at_work.close()


def test_people_take_turns_and_all_finish(queued, dispatcher):
    runs = [queued("ana"), queued("ana"), queued("brais")]
    await_(lambda: all(map(ended, runs)))
    assert [run.status()["state"] for run in runs] == ["done"] * 3
    started = sorted(runs, key=lambda run: run.config["started"])
    assert [run.owner for run in started] == ["ana", "brais", "ana"]


def test_who_waits_knows_their_place(queued):
    first, second = queued("ana"), queued("brais")
    assert lab.place_in_queue(first.id, "ana")["place"] == 1
    waits = lab.place_in_queue(second.id, "brais")
    assert waits["place"] == 2
    assert waits["seconds"] == pytest.approx(first.config["forecast"]["seconds"])


def test_a_queued_run_can_be_taken_out(queued):
    run = queued()
    lab.stop(run.id, "ana")
    assert run.status()["state"] == "stopped"
    assert lab.place_in_queue(run.id, "ana") is None


def test_a_killed_worker_ends_in_a_named_state_and_the_next_run_goes_on(queued, dispatcher):
    run, following = queued(steps=100_000), queued("brais")
    await_(lambda: any(event["kind"] == "train" for event in run.events()[0]))
    os.kill(run.status()["pid"], signal.SIGKILL)
    await_(lambda: ended(following))
    assert following.status()["state"] == "done"
    assert run.status()["error"]["key"] == "worker_died"


def test_a_long_run_lets_others_go_first_and_goes_on_after_them(queued, monkeypatch, dispatcher):
    long = queued(steps=100_000)
    await_(lambda: any(event["kind"] == "train" for event in long.events()[0]))
    monkeypatch.setattr(dispatching, "TURN_SECONDS", 0.0)
    short = queued("brais")
    await_(lambda: ended(short))
    assert short.status()["state"] == "done" and not ended(long)
    await_(lambda: long.status()["state"] == "running" and long.events()[0][-1]["kind"] == "train")
    steps = [event["step"] for event in long.events()[0] if event["kind"] == "heldout"]
    assert steps == sorted(set(steps)), "it went on, and told nothing twice"
    lab.stop(long.id, "ana")
    await_(lambda: ended(long))
    assert long.status()["state"] == "stopped"


def test_nobody_steps_aside_for_themselves_alone(queued, monkeypatch, dispatcher):
    monkeypatch.setattr(dispatching, "TURN_SECONDS", 0.0)
    runs = [queued(steps=40), queued()]
    await_(lambda: all(map(ended, runs)))
    first, second = (run.config["started"] for run in runs)
    assert first < second and [run.status()["state"] for run in runs] == ["done"] * 2


SERVER = """
import time
from lora_lab.runs.dispatcher import Dispatcher
Dispatcher()
time.sleep(1000)
"""


def test_a_training_outlives_the_server_that_started_it(queued):
    run = queued(steps=60)
    server = subprocess.Popen([sys.executable, "-c", SERVER], cwd=ROOT, start_new_session=True)
    await_(lambda: any(event["kind"] == "train" for event in run.events()[0]))
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    await_(lambda: ended(run))
    assert run.status()["state"] == "done"


def test_the_kill_script_finds_resumed_runs_identical(tiny, stories):
    flags = ["--kills", "4", "--threads", "1", "--model", str(tiny), "--data", str(stories)]
    told = subprocess.run(
        [sys.executable, "scripts/kill_and_resume", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "4 of 4 identical" in told.stdout
