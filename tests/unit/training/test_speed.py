import json
from dataclasses import asdict, replace

import pytest
import torch

from lora_lab.training import speed
from lora_lab.training.speed import Speed


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path))
    return tmp_path


def remembered(home, told):
    (home / "speed.json").write_text(json.dumps(asdict(told)))


def test_what_is_measured_is_remembered_and_threads_are_left_as_they_were(home):
    before = torch.get_num_threads()
    told = speed.measure()
    assert told == speed.known()
    assert told.float32 > 1e8 and told.bfloat16 > 1e8 and 1e-8 < told.step < 1e-2
    assert torch.get_num_threads() == before


def test_the_best_that_was_seen_on_this_machine_counts(home):
    told = speed.measure()
    remembered(home, replace(told, float32=told.float32 * 1e6, step=told.step * 1e6))
    again = speed.measure()
    assert again.float32 == told.float32 * 1e6
    assert again.step < told.step * 1e6


def test_another_machine_s_figures_are_forgotten(home):
    told = speed.measure()
    remembered(home, replace(told, machine="another", float32=told.float32 * 1e6))
    assert speed.measure().float32 < told.float32 * 1e6


@pytest.mark.parametrize("words", ["", "[]", '{"float32": 1, "threads": 2}', "\x00"])
def test_a_file_that_says_nothing_is_as_none(home, words):
    (home / "speed.json").write_text(words)
    assert speed.known() == Speed()
