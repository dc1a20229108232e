"""The sample sets: what each is called, whom it is for, and what makes its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import chat_sets, english_sets, far_sets

TINY = "tiny-stories"
CHAT = "smollm2-135m-instruct"


@dataclass(frozen=True)
class SampleSet:
    """distance: how far the set is from what for_model knows; opening: a prompt to compare with."""

    file: str
    for_model: str
    distance: str
    language: str
    opening: str
    rows: Callable[[], list[dict]]

    @property
    def name(self) -> str:
        return self.file.partition(".")[0]

    def entry(self) -> dict[str, str]:
        """This set's line in samples.json."""
        fields = ("name", "file", "for_model", "distance", "language", "opening")
        return {name: getattr(self, name) for name in fields}


SETS = [
    SampleSet(
        "pirate-stories.csv",
        TINY,
        "near",
        "en",
        "Once upon a time, a little girl named Mia found",
        english_sets.pirate_stories,
    ),
    SampleSet(
        "moral-stories.csv",
        TINY,
        "middle",
        "en",
        "Once upon a time, a little fox wanted",
        english_sets.moral_stories,
    ),
    SampleSet(
        "title-stories.csv",
        TINY,
        "middle",
        "en",
        "The Little Boat",
        english_sets.title_stories,
    ),
    SampleSet(
        "french-stories.csv",
        TINY,
        "far",
        "fr",
        "Il était une fois une petite fille qui",
        far_sets.french_stories,
    ),
    SampleSet(
        "german-stories.csv",
        TINY,
        "far",
        "de",
        "Es war einmal ein Mädchen, das",
        far_sets.german_stories,
    ),
    SampleSet(
        "spanish-stories.csv",
        TINY,
        "far",
        "es",
        "Había una vez una niña que",
        far_sets.spanish_stories,
    ),
    SampleSet(
        "galician-stories.csv",
        TINY,
        "far",
        "gl",
        "Había unha vez unha nena que",
        far_sets.galician_stories,
    ),
    SampleSet(
        "short-answers.jsonl",
        CHAT,
        "near",
        "en",
        "What is the capital of Portugal?",
        chat_sets.short_answers,
    ),
    SampleSet(
        "extract-orders.jsonl",
        CHAT,
        "middle",
        "en",
        chat_sets.ASKED
        + "Hello! We are closed on Monday. Could you bring us a dozen green lamps on Tuesday?",
        chat_sets.extract_orders,
    ),
]
