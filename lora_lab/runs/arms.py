"""What an experiment is made of: arms, each a name and what it changes of one common Settings.

A rank race, a sweep of alpha, a grid of alpha and learning rate, few examples, inits: all of them
are lists of arms, in a run's config under "experiment":

    kind       what the arms are about: race, alpha, grid, few or init
    arms       [Arm as JSON]; an arm's place in this list is its number in events and in arms/<n>/
    forecasts  what lab.forecast told of each arm
    datasets   [{"data", "name", "shape", "fingerprint", "rows"}]; rows lie in data/<place>/
    together   whether the arms take turns or, too large for that, go one after the other
    rates      own (each arm at its best rate), search (found here) or one (all at the same)
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lora_lab.config import Settings
from lora_lab.runs.folder import Run

TASK = "race"


@dataclass(frozen=True)
class Arm:
    """label: what a person calls it ("8", "full"). changes: the settings that are its own; a
    learning rate of 0 among them is searched for. rows: training rows it may see; 0: all."""

    label: str
    changes: dict[str, Any]
    rows: int = 0

    def settings(self, common: Settings) -> Settings:
        """Its whole Settings. Raises LabError for a value out of range."""
        return replace(common, **self.changes).checked()

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def apart_from(self, *names: str) -> str:
        """Equal for arms that differ in nothing but these settings: seeds of one arm, say."""
        changes = {name: value for name, value in self.changes.items() if name not in names}
        return json.dumps([self.label, changes, self.rows], sort_keys=True)


def arms_of(run: Run) -> list[Arm]:
    return [Arm(**told) for told in run.config["experiment"]["arms"]]


def adapter_folder(run: Run, number: int) -> Path:
    """Where an arm's result lies once it has ended: an adapter in PEFT's format, or a model."""
    return run.path / "arms" / str(number)


def data_folder(run: Run, settings: Settings) -> Path:
    """Where the rows of an arm with these settings lie."""
    names = [told["data"] for told in run.config["experiment"]["datasets"]]
    return run.data / str(names.index(settings.data))
