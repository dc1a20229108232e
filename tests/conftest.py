"""Every test has a home of its own and speaks English: none hangs on another, nor on what this
machine keeps or speaks."""

import pytest
from hypothesis import settings

# On a machine that is busy with other things: few examples, and no clock.
settings.register_profile("lab", deadline=None, max_examples=40)
settings.load_profile("lab")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("LORA_LAB_HOME", str(folder))
    monkeypatch.setenv("LORA_LAB_LANG", "en")
    return folder
