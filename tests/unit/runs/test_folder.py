import json
import subprocess
import sys

import pytest

from lora_lab.config import Settings
from lora_lab.errors import LabError
from lora_lab.runs import folder


def make(owner="ana"):
    return folder.create(Settings(rank=4), owner, lambda path: path.mkdir())


def test_a_new_run_is_queued_and_says_what_was_asked():
    run = make()
    assert run.status()["state"] == "queued"
    assert run.settings.rank == 4 and run.owner == "ana"
    assert run.data.is_dir()


def test_a_run_whose_data_cannot_be_saved_never_appears(home):
    with pytest.raises(OSError):
        folder.create(Settings(), "ana", lambda path: (path.mkdir(), (path / "x/y").touch()))
    assert list((home / "runs").iterdir()) == []


def test_people_find_their_own_runs_only():
    mine, theirs = make("ana"), make("brais")
    assert [run.id for run in folder.all_runs("ana")] == [mine.id]
    with pytest.raises(LabError) as caught:
        folder.owned(theirs.id, "ana")
    assert caught.value.key == "no_such_run"


@pytest.mark.parametrize("hostile", ["", ".", "..", "../runs", "a/b", "x" * 5000, "\0", "%2e%2e"])
def test_only_an_id_finds_a_run(hostile):
    make()
    with pytest.raises(LabError):
        folder.find(hostile)


def test_events_are_read_on_from_where_one_was():
    run = make()
    assert run.events() == ([], 0)
    run.append("train", step=1)
    events, offset = run.events()
    assert [event["step"] for event in events] == [1]
    run.append("train", step=2)
    assert [event["step"] for event in run.events(offset)[0]] == [2]
    assert run.events(run.events()[1]) == ([], run.events()[1])


def test_half_a_line_is_not_read_until_it_is_whole():
    run = make()
    run.append("train", step=1)
    with (run.path / "events.jsonl").open("a") as file:
        file.write('{"kind": "train", "st')
        file.flush()
        events, offset = run.events()
        assert len(events) == 1
        file.write('ep": 2}\n')
    assert [event["step"] for event in run.events(offset)[0]] == [2]


def test_events_that_a_resume_cut_are_read_from_the_start():
    run = make()
    size = run.append("train", step=1)
    run.append("train", step=2)
    _, offset = run.events()
    run.cut_events(size)
    assert [event["step"] for event in run.events(offset)[0]] == [1]


def test_events_that_a_resume_wrote_anew_are_read_from_the_start_too():
    run = make()
    size = run.append("train", step=1)
    run.append("train", step=2)
    _, offset = run.events()
    run.cut_events(size)
    run.append("sample", text="x" * 200)
    run.append("train", step=2)
    assert [event["kind"] for event in run.events(offset)[0]] == ["train", "sample", "train"]
    assert run.events(-3) == run.events(0)


def test_a_figure_that_is_no_number_is_never_written():
    with pytest.raises(ValueError):
        make().append("train", loss=float("nan"))


HOLD = """
import sys, pathlib
from lora_lab.runs.folder import Run
run = Run(pathlib.Path(sys.argv[1]))
with run.lock():
    run.set_status("running")
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_run_whose_worker_was_killed_says_so_and_can_be_resumed():
    run = make()
    worker = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout.readline() == "held\n"
    assert run.status()["state"] == "running"
    with pytest.raises(LabError) as caught:
        run.delete()
    assert caught.value.key == "run_still_going"
    worker.kill()
    worker.communicate()
    assert run.status()["state"] == "failed"
    assert run.status()["error"]["key"] == "worker_died"
    run.requeue()
    assert run.status()["state"] == "queued"


def test_deleting_takes_the_whole_folder(home):
    run = make()
    run.delete()
    assert list((home / "runs").iterdir()) == []


def test_status_is_replaced_whole(home):
    run = make()
    run.set_status("failed", LabError("disk_full"))
    assert json.loads((run.path / "status.json").read_text())["error"]["key"] == "disk_full"
    assert [file.name for file in run.path.iterdir() if file.suffix == ".part"] == []
