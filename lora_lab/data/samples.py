"""The datasets in the box: small, and written for this project (see scripts/sample_stories)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from lora_lab.config import assets
from lora_lab.data.quoting import listed, shown
from lora_lab.errors import LabError


@dataclass(frozen=True)
class Sample:
    """name: what --data takes; file: under assets/datasets; for_model: the catalogue model it was
    made for; distance: "near" to or "far" from what that model knows; opening: a prompt to compare
    with afterwards; title, card: keys of the words that name it and say what it teaches."""

    name: str
    file: str
    for_model: str
    distance: str
    language: str
    opening: str
    title: str
    card: str


def samples() -> list[Sample]:
    """Every sample, the first one first to be tried."""
    entries = json.loads((_folder() / "samples.json").read_text("utf-8"))
    return [
        Sample(
            **entry, title=f"dataset.{entry['name']}.title", card=f"dataset.{entry['name']}.card"
        )
        for entry in entries
    ]


def resolve(data: str) -> Path:
    """The file that a sample's name or a path means; a LabError if it is neither."""
    files = {sample.name: sample.file for sample in samples()}
    if data in files:
        return _folder() / files[data]
    try:
        path = Path(data).expanduser()
        known = path.is_file()
    except (OSError, RuntimeError):  # a name too long, or ~someone who is not here
        known = False
    if not known:
        raise LabError("no_such_data", data=shown(data), samples=listed(files))
    return path


def _folder() -> Path:
    return assets() / "datasets"
