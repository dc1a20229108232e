"""A run in one line, as the Runs tab lists it."""

from __future__ import annotations

import time

import pytest

from lora_lab.config import Settings
from lora_lab.ui import runs


@pytest.fixture
def madrid(monkeypatch):
    monkeypatch.setenv("TZ", "CET-1")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_run_is_dated_by_the_clock_of_its_machine(madrid):
    run = {"id": "20260131-233005-0123456789abcdef", "settings": vars(Settings()), "result": None}
    line = runs.line({**run, "data": {"name": "a.csv"}, "state": "done"}, "es")
    assert line.endswith(" · 01-02 00:30")
