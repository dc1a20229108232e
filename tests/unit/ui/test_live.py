"""A run in words and figures, in each of its states."""

from __future__ import annotations

from typing import Any

import pytest

from lora_lab.config import Settings
from lora_lab.errors import LabError
from lora_lab.ui import live
from lora_lab.words import LANGUAGES, say

HOSTILE = "<img src=x onerror=alert(1)>${1}{{1}}"
TRAIN = {
    "kind": "train",
    "step": 12,
    "epoch": 0.5,
    "loss": 2.5,
    "tokens_per_second": 4100.4,
    "seconds_left": 35.0,
    "memory_bytes": 400_000_000,
}
RESULT = {
    "steps": 60,
    "seconds": 38.0,
    "tokens_per_second": 4100.0,
    "heldout_loss_before": 4.0,
    "heldout_loss": 2.27,
    "peak_memory_bytes": 430_000_000,
}


def run(state: str, **more: Any) -> dict[str, Any]:
    told = {"settings": vars(Settings(steps=60)), "data": {"name": "a.csv"}, "result": None}
    return {**told, "state": state, "error": None, **more}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", ["queued", "running", "done", "stopped", "failed"])
def test_each_state_is_named_in_each_language(state, language):
    told = live.standing(run(state), [], {}, language)
    assert f'class="state {state}"' in told and "a.csv" in told


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sample_goes_by_its_title_and_a_file_by_its_name(language):
    told = live.title(run("done", data={"name": "pirate-stories.csv"}), language)
    assert told.startswith(say("dataset.pirate-stories.title", language) + " · ")
    assert live.title(run("done", data={"name": "mine.csv"}), language).startswith("mine.csv · ")


def test_a_waiting_run_tells_its_place_and_the_wait():
    told = live.standing(run("queued"), [], {"place": 3, "seconds": 200}, "en")
    assert "Place 3" in told and "3\u00a0min" in told
    assert "Next in line" in live.standing(run("queued"), [], {"place": 1, "seconds": 0}, "en")


def test_a_download_tells_its_progress():
    fetching = {"kind": "progress", "phase": "fetching", "done": 5e7, "total": 1e8}
    told = live.standing(run("running"), [{**fetching, "seconds_left": 20}], {}, "en")
    assert 'aria-valuenow="50"' in told and "100\u00a0MB" in told and "20\u00a0s left" in told
    unknown = {"kind": "progress", "phase": "fetching", "done": None, "total": None}
    assert "Downloading" in live.standing(run("running"), [unknown], {}, "en")
    loading = {"kind": "progress", "phase": "loading"}
    assert "Loading" in live.standing(run("running"), [loading], {}, "en")


def test_a_training_run_tells_step_speed_and_time_left():
    told = live.standing(run("running"), [TRAIN], {}, "en")
    for part in ("Step 12 of 60", "4,100 tokens/s", "35\u00a0s left", 'aria-valuenow="20"'):
        assert part in told


def test_forecast_stands_beside_measured():
    forecast = {"memory_bytes": 410_000_000, "seconds": 40.0}
    told = live.standing(run("done", result=RESULT, forecast=forecast), [], {}, "en")
    for part in ("4.000 → 2.270", "410\u00a0MB", "430\u00a0MB", "40\u00a0s", "38\u00a0s"):
        assert part in told


def test_a_failed_run_tells_problem_and_remedy():
    error = LabError("loss_not_finite", step=7).as_json()
    told = live.standing(run("failed", error=error), [], {}, "en")
    assert 'role="alert"' in told and "7" in told


def test_a_run_stopped_before_its_first_measurement_has_no_loss_yet():
    result = {**RESULT, "heldout_loss": None}
    assert "4.000 → –" in live.standing(run("stopped", result=result), [], {}, "en")


@pytest.mark.parametrize(
    ("after", "told"), [(4.2, True), (3.9, False), (4.0, False), (None, False)]
)
def test_training_that_did_harm_says_so_and_what_to_do(after, told):
    drawn = live.standing(run("done", result=RESULT | {"heldout_loss": after}), [], {}, "en")
    assert ("smaller alpha" in drawn) is told


def test_a_hostile_name_and_a_hostile_text_stay_text():
    told = live.standing(run("done", data={"name": HOSTILE}), [], {}, "en")
    sample = {"kind": "sample", "step": 1, "text": HOSTILE}
    start = {"kind": "start", "opening": HOSTILE}
    for markup in (told, live.sample([start, sample], "en")):
        assert "<img" not in markup and "&lt;img" in markup


def test_the_sample_is_the_last_one():
    events = [{"kind": "sample", "step": i, "text": f"text {i}"} for i in (1, 25, 50)]
    told = live.sample(events, "en")
    assert "text 50" in told and "text 25" not in told and "step 50" in told
    assert live.sample([], "en") == ""
