"""How alike rows are: the share of a text's 8-word runs that other texts have too."""

from __future__ import annotations

import re
from collections.abc import Iterable

RUN = 8


def runs(text: str) -> set[tuple[str, ...]]:
    """Every run of RUN words in a row of text, case and punctuation aside."""
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + RUN]) for i in range(len(words) - RUN + 1)}


def seen_share(text: str, seen: set[tuple[str, ...]]) -> float:
    """The share, 0 to 1, of text's runs that stand in seen."""
    own = runs(text)
    return len(own & seen) / len(own) if own else 0.0


def heldout_overlap(texts: list[str], every: int = 10) -> tuple[float, float]:
    """Every tenth text held out: the mean share of its runs seen in the rest, and the greatest."""
    seen = all_runs(text for i, text in enumerate(texts) if i % every)
    shares = [seen_share(text, seen) for text in texts[::every]]
    return sum(shares) / len(shares), max(shares)


def all_runs(texts: Iterable[str]) -> set[tuple[str, ...]]:
    """The runs of all texts together."""
    return {run for text in texts for run in runs(text)}
