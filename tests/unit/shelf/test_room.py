"""Room on the disk: the disk's own, one's share beside others, and what is let go of for it."""

import shutil

import pytest

from lora_lab import lab
from lora_lab.config import Settings, home
from lora_lab.lab.planning import download_bytes
from lora_lab.lab.training import check_it_fits
from lora_lab.runs import folder as runs
from lora_lab.shelf import arriving, entry, room
from tests.expecting import lab_error

FACTS = {"name": "boats", "origin": "imported", "model": "tiny-stories"}


@pytest.fixture
def free():
    home().mkdir(parents=True)
    return shutil.disk_usage(home()).free


def keep(owner, adapter, size=0):
    """An entry of the shelf that takes size bytes (of holes, so that no disk is written full)."""
    made = entry.create(owner, lambda to: shutil.copytree(adapter, to), **FACTS)
    with (made.adapter / "large").open("wb") as file:
        file.truncate(size)
    return made


def run_of(owner):
    return runs.create(Settings(), owner, lambda path: path.mkdir(), data={}, forecast={})


def test_a_disk_that_would_be_full_is_said_before(free):
    room.check("ana", free // 4)
    with lab_error("no_room"):
        room.check("ana", free)
    with lab_error("no_room"):
        room.check("ana", free - room.SPARE // 2)  # what stays free for runs at work


def test_alone_one_may_have_it_all_and_beside_others_no_more_than_half(free, adapter):
    run_of("ana")
    room.check("ana", free * 3 // 4)
    run_of("brais")
    room.check("ana", free // 4)
    with lab_error("share_used_up"):
        room.check("ana", free * 3 // 4)
    keep("brais", adapter, size=2 * free)
    room.check("ana", free // 4)
    with lab_error("share_used_up"):
        room.check("brais", 1)


def test_what_was_deleted_goes_for_good_where_its_room_is_needed(free, adapter):
    mine, theirs = keep("ana", adapter, size=2 * free), keep("brais", adapter)
    for each in (mine, theirs):
        each.delete()
    room.check("ana", 1)
    assert not mine.path.exists() and theirs.path.exists()
    theirs.restore()
    assert entry.owned(theirs.id, "brais")


def test_a_merged_model_of_a_runs_deleted_adapter_goes_too(free, adapter):
    run = run_of("ana")
    run_of("brais")
    shutil.copytree(adapter, run.adapter)
    mine = entry.find(run.id)
    mine.rename("boats")
    mine.merged.mkdir()
    with (mine.merged / "model.safetensors").open("wb") as file:
        file.truncate(2 * free)
    mine.merged_zip.touch()
    mine.delete()
    room.check("ana", 1)
    assert not mine.merged.exists() and not mine.merged_zip.exists()
    assert mine.about["name"] == "boats" and run.adapter.exists()


def test_nothing_is_imported_mixed_or_merged_without_room(free, adapter, tmp_path):
    mine = keep("ana", adapter, size=2 * free)
    run_of("brais")
    asked = [
        lambda: arriving.arrive("ana", arriving.Source(folder=adapter, name="boats")),
        lambda: list(lab.mix_adapters([(str(adapter), 1.0, "x")] * 2, owner="ana")),
        lambda: list(lab.merge_shelved(mine.id, "ana")),
    ]
    before = sorted(entry.folder().glob("*/**"))
    for ask in asked:
        with lab_error("share_used_up"):
            ask()
    assert sorted(entry.folder().glob("*/**")) == before


def test_no_run_or_experiment_starts_or_resumes_without_room(free, adapter):
    small = Settings(steps=1)
    run = lab.start(small, "ana")
    lab.stop(run, "ana")
    keep("ana", adapter, size=2 * free)
    run_of("brais")
    for ask in (
        lambda: lab.start(small, "ana"),
        lambda: lab.start_experiment("race", small, {"ranks": [1, 2]}, "ana"),
        lambda: lab.resume(run, "ana"),
    ):
        with lab_error("share_used_up"):
            ask()
    assert lab.run(run, "ana")["state"] == "stopped" and len(lab.runs("ana")) == 1
    assert lab.start(small, "brais")


def test_full_fine_tuning_is_known_to_write_more_than_an_adapter():
    told = {method: lab.forecast(Settings(method=method)) for method in ("lora", "full")}
    assert told["full"]["disk_bytes"] > 10 * told["lora"]["disk_bytes"] > 0


def test_a_model_that_is_still_to_come_takes_room_too(free):
    small, nothing = "smollm2-135m-instruct", {"memory_bytes": 0, "disk_bytes": 0}
    assert download_bytes("tiny-stories") == 0 < 50e6 < download_bytes(small) < 1e9
    run_of("ana")
    run_of("brais")
    half = (free - download_bytes(small)) // 2
    check_it_fits("ana", nothing | {"disk_bytes": half - 10**9}, small)
    with lab_error("share_used_up"):
        check_it_fits("ana", nothing | {"disk_bytes": half + 10**9}, small)
