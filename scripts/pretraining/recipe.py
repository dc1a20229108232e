"""Everything that decides the weights, written beside them as recipe.json."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from platform import python_version

from pretraining.network import Shape


@dataclass(frozen=True)
class Recipe:
    """texts: (file's name, sha256, weight). heldout: the last share of the first file, in bytes.
    a row is `length` tokens; the rate is unitless. steps: where the run ends, with the last `decay`
    of them the fall of the rate (after --decay-from-now, of the latest such fall)."""

    texts: tuple[tuple[str, str, float], ...]
    heldout: float
    shape: Shape
    seed: int
    steps: int
    decay: int
    warmup: int
    rows: int
    length: int
    rate: float
    weight_decay: float
    optimiser: str
    precision: str

    def save(self, folder: Path, threads: int) -> None:
        """With what else the last bits of the weights hang on: the threads and the versions."""
        machine = {"threads": threads, "torch": version("torch"), "python": python_version()}
        told = dataclasses.asdict(self) | {"machine": machine}
        (folder / "recipe.json").write_text(json.dumps(told, indent=1) + "\n")

    def fingerprint(self) -> str:
        """Of what a checkpoint must agree on to go on exactly: all but where the decay lies."""
        told = dataclasses.asdict(self)
        del told["steps"], told["decay"]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
