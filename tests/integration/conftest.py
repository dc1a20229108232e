import pytest

from tests import tiny_models


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder of a tiny Llama, made once: what would change it takes a copy."""
    folder = tmp_path_factory.mktemp("model")
    tiny_models.save("llama", folder)
    return folder
