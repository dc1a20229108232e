"""A mixture of adapters on disk: read, mixed, and written as an ordinary adapter. Heavy."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lora_lab.errors import LabError
from lora_lab.lora import mixing, peft_format
from lora_lab.lora.adapter import Adapter
from lora_lab.shelf import reading


@dataclass(frozen=True)
class Part:
    """An adapter's folder, its weight, and what a person calls it."""

    folder: Path
    weight: float
    name: str = ""


@dataclass(frozen=True)
class Recipe:
    """How parts are mixed; see lora.mixing.mix."""

    method: str = "sum"
    rank: int = 0
    density: float = 0.5
    seed: int = 0


@dataclass(frozen=True)
class Mixture:
    """A mixed adapter, and what is written beside it."""

    mixed: mixing.Mixed
    base_name: str
    facts: dict[str, Any]

    def save(self, folder: Path) -> None:
        peft_format.save(folder, self.mixed.adapter, self.base_name, self.facts)

    def told(self) -> dict[str, Any]:
        """{"rank", "targets": how many matrices, "trainable", "bytes", "error", "worst": the
        matrices that lost most, each with its share}."""
        tensors = self.mixed.adapter.tensors
        trainable = sum(A.numel() + B.numel() for A, B in tensors.values())
        worst = sorted(self.mixed.errors.items(), key=lambda pair: -pair[1])[:5]
        return {
            "rank": self.mixed.adapter.rank,
            "matrices": len(tensors),
            "trainable": trainable,
            "bytes": 4 * trainable,
            "error": self.mixed.error,
            "errors": self.mixed.errors,
            "worst": [{"path": path, "error": error} for path, error in worst],
        }


def mixture(parts: list[Part], recipe: Recipe = Recipe()) -> Mixture:
    """The parts as one adapter. Raises LabError as mixing.mix does, and mix_full for a folder that
    holds a whole model."""
    loaded = [(_adapter(part), part.weight) for part in parts]
    mixed = mixing.mix(loaded, **asdict(recipe))
    first = parts[0].folder
    config = json.loads((first / peft_format.CONFIG).read_text("utf-8"))
    facts = {
        "base": peft_format.facts(first).get("base", {}),
        "data": _data([part.folder for part in parts]),
        "mix": {
            **asdict(recipe),
            "error": mixed.error,
            "parts": [{"name": p.name or p.folder.name, "weight": p.weight} for p in parts],
        },
    }
    return Mixture(mixed, str(config.get("base_model_name_or_path") or ""), facts)


def _adapter(part: Part) -> Adapter:
    if reading.method(part.folder) == "full":
        raise LabError("mix_full", name=part.name or part.folder.name)
    return peft_format.load(part.folder)


def _data(folders: list[Path]) -> dict[str, Any]:
    """What its parts learned from: names joined, and the shape of the first that learned to answer
    (it decides how a prompt is put to the mixture)."""
    told = [peft_format.facts(folder).get("data") for folder in folders]
    known = [data for data in told if isinstance(data, dict)]
    shapes = [data.get("shape") for data in known]
    answers = [shape for shape in shapes if shape in ("prompt", "chat")]
    names = " + ".join(dict.fromkeys(str(data.get("name")) for data in known if data.get("name")))
    return {"name": names, "shape": (answers or shapes or ["text"])[0]}
