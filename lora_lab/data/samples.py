"""The datasets in the box: small, and written for this project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lora_lab.config import assets
from lora_lab.data.quoting import listed, shown
from lora_lab.errors import LabError


@dataclass(frozen=True)
class Sample:
    """name: what --data takes; file: under assets/datasets; title, card: keys of the words that
    name it and say what it teaches; for_model: the catalogue model it suits best."""

    name: str
    file: str
    title: str
    card: str
    for_model: str


def samples() -> list[Sample]:
    """Every sample, the first one first to be tried."""
    return SAMPLES


def resolve(data: str) -> Path:
    """The file that a sample's name or a path means; a LabError if it is neither."""
    for sample in SAMPLES:
        if sample.name == data:
            return assets() / "datasets" / sample.file
    try:
        path = Path(data).expanduser()
        known = path.is_file()
    except (OSError, RuntimeError):  # a name too long, or ~someone who is not here
        known = False
    if not known:
        names = listed(sample.name for sample in SAMPLES)
        raise LabError("no_such_data", data=shown(data), samples=names)
    return path


SAMPLES: list[Sample] = []
