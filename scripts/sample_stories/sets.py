"""The sample sets: what each is called, whom it is for, and what makes its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import english_sets

TINY = "tiny-stories"


@dataclass(frozen=True)
class SampleSet:
    """distance: how far the set is from what for_model knows; opening: a prompt to compare with."""

    name: str
    file: str
    for_model: str
    distance: str
    language: str
    opening: str
    rows: Callable[[], list[dict]]

    def entry(self) -> dict[str, str]:
        """This set's line in samples.json."""
        fields = ("name", "file", "for_model", "distance", "language", "opening")
        return {name: getattr(self, name) for name in fields}


SETS = [
    SampleSet(
        "pirate-stories",
        "pirate-stories.csv",
        TINY,
        "near",
        "en",
        "Once upon a time, a little girl named Mia found",
        english_sets.pirate_stories,
    ),
]
