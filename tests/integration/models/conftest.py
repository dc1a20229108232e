import pytest

from lora_lab.models import hub as hub_module
from tests.integration.loopback import serving
from tests.integration.models.stand_in_hub import Hub

HUB_ID = "someone/tiny-llama"


@pytest.fixture
def published(tiny):
    """The folder that the stand-in publishes as HUB_ID, weights too large for one packet."""
    return tiny


@pytest.fixture
def hub(published, monkeypatch):
    with serving(Hub()) as server:
        server.publish(HUB_ID, published)
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setattr(hub_module, "PAUSE_S", 0.01)
        yield server
