import pytest

from lora_lab.models import hub as hub_module
from tests import tiny_models
from tests.integration.models import stand_in_hub

HUB_ID = "someone/tiny-llama"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("LORA_LAB_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """The folder that the stand-in publishes as HUB_ID, weights too large for one packet."""
    folder = tmp_path_factory.mktemp("published")
    tiny_models.save("llama", folder)
    return folder


@pytest.fixture
def hub(published, monkeypatch):
    with stand_in_hub.running() as server:
        server.publish(HUB_ID, published)
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setattr(hub_module, "PAUSE_S", 0.01)
        yield server
