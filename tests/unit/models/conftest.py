"""Tiny models of several families to read."""

import pytest

from tests import tiny_models


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
