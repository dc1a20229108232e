"""Every test here has a home of its own, and tiny models of several families to read."""

import pytest

from tests import tiny_models


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("LORA_LAB_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """family -> (folder, model), each made once."""
    made = {}

    def of(family):
        if family not in made:
            folder = tmp_path_factory.mktemp(family)
            made[family] = folder, tiny_models.save(family, folder)
        return made[family]

    return of
