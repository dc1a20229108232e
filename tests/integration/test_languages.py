"""Three languages on one base: two real runs, then the table and the hash."""

from lora_lab import lab
from lora_lab.lab import languages
from lora_lab.runs import folder, worker
from tests.expecting import lab_error


def test_each_adapter_learns_its_own_language_and_the_base_is_left_alone(monkeypatch):
    monkeypatch.setattr(languages, "STEPS", 4)
    assert lab.languages_of("ana") == []
    ids = lab.start_languages("ana")
    assert [run["id"] for run in lab.languages_of("ana")] == ids
    for id in ids:
        worker.run_to_its_end(folder.find(id))
    with lab_error("no_such_run"):
        list(lab.measure_languages(ids, "brais"))
    *_, told = lab.measure_languages(ids, "ana")
    assert told["texts"] == ["english", "french-stories", "german-stories"]
    assert [row["name"] for row in told["rows"]] == ["base", *ids, "mixture"]
    base, french, german, both = (row["losses"] for row in told["rows"])
    assert french[1] < base[1] and german[2] < base[2]
    assert both[1] < base[1] and both[2] < base[2]
    assert base[0] < base[1] and base[0] < base[2], "it was taught English"
    assert told["hash_before"] == told["hash_after"]
