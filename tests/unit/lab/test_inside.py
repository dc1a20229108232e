"""Looks inside that take much memory are refused before they take it."""

from types import SimpleNamespace

import pytest

from lora_lab import lab
from lora_lab.training import forecast
from tests.expecting import lab_error


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path))


def test_w0_is_cut_only_where_its_copies_fit(monkeypatch):
    def events():
        return lab.cut_base("tiny-stories", "linear", [1], [])

    kinds = (event["kind"] for event in events())
    assert "base" in kinds  # loaded, and kept from here on
    little = SimpleNamespace(available=1_000_000)
    monkeypatch.setattr(forecast.psutil, "virtual_memory", lambda: little)
    with lab_error("not_enough_memory"):
        list(events())
