"""How alike rows are: what share of a held-out row stands in the rows trained on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

RUN = 8
EVERY = 10


@dataclass(frozen=True)
class Overlap:
    """Shares, 0 to 1, over every tenth row held out from the others.

    mean, most: of a row's 8-word runs seen in the rest, on average and in the worst row;
    sentences: of held-out sentences that stand in the rest word for word.
    """

    mean: float
    most: float
    sentences: float


def runs(text: str) -> set[tuple[str, ...]]:
    """Every run of 8 words of text, case and punctuation aside."""
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + RUN]) for i in range(len(words) - RUN + 1)}


def seen_share(text: str, seen: set[tuple[str, ...]]) -> float:
    """The share, 0 to 1, of text's runs that stand in seen."""
    own = runs(text)
    return len(own & seen) / len(own) if own else 0.0


def heldout_overlap(texts: list[str]) -> Overlap:
    """What every tenth text has in common with the others."""
    rest = [text for i, text in enumerate(texts) if i % EVERY]
    heldout = texts[::EVERY]
    seen = {run for text in rest for run in runs(text)}
    shares = [seen_share(text, seen) for text in heldout]
    known = set(_sentences(rest))
    sentences = _sentences(heldout)
    return Overlap(
        sum(shares) / len(shares),
        max(shares),
        sum(sentence in known for sentence in sentences) / len(sentences),
    )


def _sentences(texts: Iterable[str]) -> list[str]:
    """The sentences of all texts, with what is said in them and by whom: "Stop!" he said."""
    ends = re.compile(r"(?<=[.!?»“\"]) (?=['\"«„¡¿]*[^\W_a-zà-ÿ])")
    return [sentence for text in texts for sentence in ends.split(text)]
