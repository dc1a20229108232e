import csv

import pytest

from lora_lab import lab
from lora_lab.config import Settings
from lora_lab.runs import folder


@pytest.fixture
def stories(tmp_path):
    path = tmp_path / "stories.csv"
    with path.open("w", newline="") as file:
        rows = [f"Boat number {i} went to sea. It was {i % 7} days away." for i in range(60)]
        csv.writer(file).writerows([["text"], *([row] for row in rows)])
    return path


@pytest.fixture
def queued(tiny, stories):
    """Make a queued run: queued(owner, **settings)."""
    list(lab.describe(str(tiny)))

    def make(owner="ana", **settings):
        told = {"model": str(tiny), "steps": 12, "max_length": 32, "threads": 1}
        told |= {"evaluate_every": 4, "checkpoint_every": 4, "precision": "float32"}
        return folder.find(lab.start(Settings(**(told | settings)), owner, stories, "stories.csv"))

    return make
