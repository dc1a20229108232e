"""What the Runs tab is sent: as many values as it has components."""

from types import SimpleNamespace

import pytest

from lora_lab import lab
from lora_lab.config import Settings
from lora_lab.ui.identity import HEADER, owner
from lora_lab.ui.running import Running

REQUEST = SimpleNamespace(headers={HEADER: "a secret of one's own"})


@pytest.mark.parametrize("races", [0, 1, 2])
def test_races_fill_every_component(races):
    settings = Settings(steps=10)
    ask = {"choices": {"ranks": [1, 8]}, "owner": owner(REQUEST), "rate": "one"}
    chosen = [lab.start_experiment("race", settings, **ask) for _ in range(races)]
    *_, kept, _, table, forgetting = shown = Running(None, "en").show(REQUEST, chosen)
    assert len(shown) == 8
    assert (table, forgetting) == ("", "")
    assert ("report.pdf" in kept) == (races == 1)
