"""The warm process as it is: real processes, killed and cancelled, and what the page hears."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from lora_lab.errors import LabError
from lora_lab.runs import warm
from lora_lab.runs.warm import Warm, log_file

TASKS = '''
import os, pathlib, threading, time
from lora_lab.errors import LabError

def count(to, **told):
    print("a library speaks")
    for n in range(to):
        yield {"n": n, "pid": os.getpid(), **told}

def until(path):
    """One event, then nothing until path is there."""
    yield {"began": True}
    while not pathlib.Path(path).exists():
        time.sleep(0.01)
    yield {"went_on": True}

def endless(left):
    try:
        while True:
            yield {"pid": os.getpid()}
    finally:
        pathlib.Path(left).touch()

def silent(left):
    """Says what it does and then nothing, for as long as it takes."""
    try:
        yield {"kind": "progress", "phase": "mixing", "pid": os.getpid()}
        threading.Event().wait()
    finally:
        pathlib.Path(left).touch()

def hang():
    yield {"pid": os.getpid()}
    threading.Event().wait()

def refuse():
    yield {"before": True}
    raise LabError("prompt_too_long", file="a.csv", row=3, tokens=9, context=8)

def fail():
    yield {"pid": os.getpid()}
    raise RuntimeError("a secret of the machine")

def secret():
    yield {"never": True}
'''
ALLOWED = ("count", "until", "endless", "silent", "hang", "refuse", "fail")


@pytest.fixture(autouse=True)
def tasks(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "tasks.py").write_text(TASKS)


@pytest.fixture
def process():
    warm = Warm("tasks", ALLOWED, imports=())
    yield warm
    warm.close()


def served(process):
    """The one event of a short call, once its turn has come."""
    (event,) = (event for event in process.call("count", to=1) if "n" in event)
    return event


def test_events_come_one_by_one_as_they_happen(process, tmp_path):
    events = process.call("until", path=str(tmp_path / "go"))
    assert next(events) == {"began": True}
    (tmp_path / "go").touch()
    assert list(events) == [{"went_on": True}]


def test_arguments_and_events_cross_whole_and_prints_go_to_the_log(process):
    events = list(process.call("count", to=3, word="ñandú 🦜\n\u2028"))
    assert [event["n"] for event in events] == [0, 1, 2]
    assert {event["word"] for event in events} == {"ñandú 🦜\n\u2028"}
    process.close()
    assert "a library speaks" in log_file().read_text()


def test_a_lab_error_crosses_with_its_place_and_facts(process):
    events = process.call("refuse")
    assert next(events) == {"before": True}
    with pytest.raises(LabError) as caught:
        next(events)
    assert caught.value.as_json() == {
        "key": "prompt_too_long",
        "where": {"file": "a.csv", "row": 3},
        "facts": {"tokens": 9, "context": 8},
    }


def test_any_other_exception_is_named_logged_and_survived(process):
    events = process.call("fail")
    pid = next(events)["pid"]
    with pytest.raises(LabError) as caught:
        next(events)
    assert caught.value.key == "unexpected" and "secret" not in caught.value.text()
    assert "a secret of the machine" in log_file().read_text()
    assert served(process)["pid"] == pid


def test_only_what_is_allowed_can_be_called(process):
    for name in ("secret", "os", "__import__", "nothing"):
        with pytest.raises(LabError):
            list(process.call(name))


def test_closing_ends_the_function_and_keeps_the_process(process, tmp_path):
    events = process.call("endless", left=str(tmp_path / "left"))
    pid = next(events)["pid"]
    events.close()
    assert served(process)["pid"] == pid
    assert (tmp_path / "left").exists()


def test_others_wait_in_line_and_hear_their_place(process, tmp_path, monkeypatch):
    monkeypatch.setattr(warm, "WAIT_SECONDS", 0.01)
    first = process.call("until", path=str(tmp_path / "go"))
    next(first)
    second, third, gone = (process.call("count", to=1, who=who) for who in (2, 3, 4))
    assert next(second) == {"kind": "waiting", "place": 1}
    assert next(gone) == {"kind": "waiting", "place": 2}
    assert next(third) == {"kind": "waiting", "place": 3}
    gone.close()
    assert next(third) == {"kind": "waiting", "place": 2}
    (tmp_path / "go").touch()
    assert list(first) == [{"went_on": True}]
    assert [event["who"] for event in second if "who" in event] == [2]
    assert [event["who"] for event in third if "who" in event] == [3]


def test_many_threads_at_once_each_get_their_own(process):
    heard = {}

    def ask(who):
        events = process.call("count", to=5, who=who)
        heard[who] = [event["who"] for event in events if "who" in event]

    threads = [threading.Thread(target=ask, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {who: [who] * 5 for who in range(8)}


def test_a_death_is_told_and_the_next_call_starts_another(process):
    events = process.call("hang")
    pid = next(events)["pid"]
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(LabError) as caught:
        next(events)
    assert caught.value.key == "warm_died"
    assert served(process)["pid"] != pid


def test_who_waits_is_served_after_a_death(process):
    events = process.call("hang")
    pid = next(events)["pid"]
    waiting = process.call("count", to=1)
    assert next(waiting)["kind"] == "waiting"
    os.kill(pid, signal.SIGKILL)
    assert [event["n"] for event in waiting if "n" in event] == [0]


def test_what_hangs_after_its_cancellation_is_ended(process, monkeypatch):
    monkeypatch.setattr(warm, "CANCEL_SECONDS", 0.2)
    events = process.call("hang")
    pid = next(events)["pid"]
    events.close()
    assert served(process)["pid"] != pid


def test_the_process_ends_when_the_page_is_killed():
    page = (
        "from lora_lab.runs.warm import Warm\n"
        f"events = Warm('tasks', {ALLOWED!r}, imports=()).call('hang')\n"
        "print(next(events)['pid'], flush=True)\n"
        "next(events)\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", page], stdout=subprocess.PIPE, text=True, cwd=root
    ) as running:
        worker = psutil.Process(int(running.stdout.readline()))
        running.kill()
    worker.wait(timeout=10)


def test_long_work_is_said_again_and_again_so_that_who_left_is_noticed(
    process, tmp_path, monkeypatch
):
    monkeypatch.setattr(warm, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(warm, "CANCEL_SECONDS", 0.2)
    events = process.call("silent", left=str(tmp_path / "left"))
    told = [next(events) for _ in range(5)]
    assert told == [told[0]] * 5 and told[0]["phase"] == "mixing"
    events.close()
    assert served(process)["pid"] != told[0]["pid"]
