"""Entries of the shelf: whose they are, what they are called, and how they go and come back."""

import json
import shutil
import threading
import time

import pytest

from lora_lab import lab
from lora_lab.config import Settings
from lora_lab.errors import LabError
from lora_lab.runs import folder as runs
from lora_lab.shelf import card, entry, reading
from tests.expecting import lab_error

FACTS = {"name": "boats", "origin": "imported", "model": "tiny-stories"}


@pytest.fixture
def mine(adapter):
    return entry.create("ana", lambda to: shutil.copytree(adapter, to), **FACTS)


@pytest.fixture
def run(adapter):
    """A finished run of ana's."""
    made = runs.create(Settings(data="x"), "ana", lambda path: path.mkdir(), data={"name": "x"})
    shutil.copytree(adapter, made.adapter)
    return made


def carded(entry, language="en"):
    return card.card(reading.told(entry), reading.facts_of(entry.adapter), language)


def ids(owner=None):
    return [each.id for each in entry.all_entries(owner)]


def test_runs_and_imported_ones_stand_on_one_shelf(mine, run):
    assert set(ids("ana")) == set(ids()) == {mine.id, run.id}
    assert entry.owned(run.id, "ana").adapter == run.adapter
    assert ids("brais") == []
    for id in (mine.id, run.id):
        with lab_error("no_such_adapter"):
            entry.owned(id, "brais")


@pytest.mark.parametrize(
    "id", ["", "..", "../../etc", "20260101-000000-0123456789abcdef", "x" * 500]
)
def test_what_is_no_id_finds_nothing(id):
    with lab_error("no_such_adapter"):
        entry.find(id)


def test_a_run_without_an_adapter_is_not_on_it():
    made = runs.create(Settings(), "ana", lambda path: path.mkdir())
    assert ids() == []
    with lab_error("no_such_adapter"):
        entry.find(made.id)


def test_names_and_tags_are_kept_short_and_plain(mine, run):
    for each in (mine, entry.find(run.id)):
        each.rename("  my\nboats " + "x" * 200)
        each.tag([" sea ", "sea", "", "y" * 99, *map(str, range(50))])
        told = reading.told(each)
        assert told["name"].startswith("my boats x") and len(told["name"]) == entry.LONGEST_NAME
        assert told["tags"][:2] == ["sea", "y" * entry.LONGEST_TAG]
        assert len(told["tags"]) == entry.MOST_TAGS
    assert entry.named(mine.about["name"]).id in (mine.id, run.id)
    with lab_error("no_such_adapter"):
        entry.named("nothing of the kind")


@pytest.mark.parametrize("name", ["x" * 9999, "a\r\nb", "\0", "\ud800", "a\u202eb", "CON", "../x"])
def test_a_new_ones_name_is_as_short_and_plain(adapter, name):
    made = entry.create("ana", lambda to: shutil.copytree(adapter, to), **FACTS | {"name": name})
    told = reading.told(made)["name"]
    assert len(told) <= entry.LONGEST_NAME and (told == "" or told.isprintable())
    json.dumps(told, ensure_ascii=False).encode()


def test_deleted_comes_back_and_later_is_gone(mine, run, monkeypatch):
    for each in (mine, entry.find(run.id)):
        each.delete()
        assert each.id not in ids()
        with lab_error("no_such_adapter"):
            entry.owned(each.id, "ana")
        entry.find(each.id).restore()
        assert entry.owned(each.id, "ana").id == each.id
        each.delete()
    late = time.time() + entry.UNDO_SECONDS + 1
    monkeypatch.setattr(entry.time, "time", lambda: late)
    assert ids() == []
    assert not mine.path.exists()
    assert run.adapter.exists(), "a run's adapter goes with its run"


def test_a_run_that_is_deleted_leaves_nothing_on_the_shelf(run):
    kept = entry.find(run.id)
    kept.rename("boats")
    (kept.merged / "model").mkdir(parents=True)
    with lab_error("no_such_run"):
        lab.delete(run.id, "brais")
    assert kept.merged.exists()
    lab.delete(run.id, "ana")
    assert not kept.path.exists() and not run.path.exists()


def test_a_half_made_entry_never_appears(adapter):
    def fails(to):
        shutil.copytree(adapter, to)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        entry.create("ana", fails)
    assert ids() == [] and not list(entry.folder().iterdir())


def test_a_card_tells_what_the_files_tell(mine):
    told = reading.told(mine)
    assert told["method"] == "lora" and (told["rank"], told["alpha"]) == (2, 4)
    assert told["targets"] == ["q_proj"] and told["data"] == "boats.csv"
    assert told["heldout_loss"] == 1.5 and told["model"] == "tiny-stories"
    assert told["bytes"] == (mine.adapter / "adapter_model.safetensors").stat().st_size
    for language in ("en", "es", "gl"):
        text = carded(mine, language)
        assert text.startswith("---\n") and "boats.csv" in text and "q_proj" in text
        assert "base_model" not in text, "the model in the box has no id on the Hub"


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "[" * 100_000, '{"r": {"x": 1}, "target_modules": 7}', '{"r": NaN}']
)
def test_files_that_say_nothing_sensible_tell_nothing(mine, text):
    for name in ("adapter_config.json", "lora_lab.json"):
        (mine.adapter / name).write_text(text)
    told = reading.told(mine)
    assert told["rank"] is None and told["data"] is None and told["heldout_loss"] is None
    assert carded(mine)


def test_a_name_in_a_card_is_no_markup(mine):
    mine.rename("<script>alert(1)</script> [x](y)")
    text = carded(mine)
    assert "<" not in text.split("---")[2] and "[" not in text.split("---")[2]


def test_the_shelf_is_read_without_torch(mine):
    import subprocess
    import sys

    code = (
        "import sys; from lora_lab.shelf import entry, reading, card, archive;"
        "[(reading.told(e), card.card(reading.told(e), {}, 'en')) for e in entry.all_entries()];"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_what_two_change_at_once_is_both_changed(mine):
    """Names and tags are written by turns; neither takes the other's back."""

    def write(change):
        for count in range(50):
            change(count)

    changes = [
        lambda count: mine.rename(f"boat {count}"),
        lambda count: mine.tag([f"tag {count}"]),
    ]
    writing = [threading.Thread(target=write, args=[change]) for change in changes]
    for thread in writing:
        thread.start()
    for thread in writing:
        thread.join()
    assert (mine.about["name"], mine.about["tags"]) == ("boat 49", ["tag 49"])


def test_what_went_while_another_wrote_is_told_and_does_not_come_back(mine, run):
    kept = entry.find(run.id)
    mine.delete()
    assert mine.let_go()
    run.delete()
    entry.forget(run.id)
    for each in (mine, kept):
        for late in (lambda each=each: each.rename("boats"), each.restore):
            with lab_error("no_such_adapter"):
                late()
        assert not each.path.exists()
    assert ids() == []


def test_what_many_read_as_its_time_comes_goes_once(adapter, monkeypatch):
    for _ in range(20):
        entry.create("ana", lambda to: shutil.copytree(adapter, to)).delete()
    late = time.time() + entry.UNDO_SECONDS + 1
    monkeypatch.setattr(entry.time, "time", lambda: late)
    heard = []
    readers = [threading.Thread(target=lambda: heard.append(ids())) for _ in range(8)]
    for thread in readers:
        thread.start()
    for thread in readers:
        thread.join()
    assert heard == [[]] * 8
    assert not [path for path in entry.folder().iterdir() if path.is_dir()]


def test_half_characters_in_a_strangers_files_and_names_reach_nobody(mine):
    half = "\\ud800"
    facts = f'{{"data": {{"name": "{half}"}}, "base": {{"model": "{half}"}}}}'
    config = f'{{"target_modules": ["{half}"], "base_model_name_or_path": "{half}"}}'
    (mine.adapter / "lora_lab.json").write_text(facts)
    (mine.adapter / "adapter_config.json").write_text(config)
    mine.rename("boats \ud800")
    mine.tag(["sea \ud800"])
    told = reading.told(mine)
    assert told["name"] == "boats" and told["targets"] == ["?"]
    json.dumps(told, ensure_ascii=False).encode()
    carded(mine).encode()
    LabError("import_base_unknown", base="\ud800").text().encode()
