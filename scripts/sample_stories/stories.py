"""Many different stories of one grammar."""

from __future__ import annotations

from dataclasses import dataclass

from .grammar import Cast, Decks, Grammar, Plot
from .overlap import runs, seen_share

CANDIDATES = 8
ATTEMPTS = 400


@dataclass(frozen=True)
class Story:
    text: str
    plot: Plot
    cast: Cast


def tell_many(grammar: Grammar, decks: Decks, count: int, words: tuple[int, int]) -> list[Story]:
    """count stories of words[0] to words[1] words, the plots in turn.

    Each is the one, of several tellings, that repeats the stories before it least.
    """
    stories: list[Story] = []
    seen: set[tuple[str, ...]] = set()
    for number in range(count):
        plot = grammar.plots[number % len(grammar.plots)]
        tellings = _tellings(grammar, plot, decks, words)
        told, cast = min(tellings, key=lambda telling: seen_share(telling[0], seen))
        seen |= runs(told)
        stories.append(Story(grammar.finished(told), plot, cast))
    return stories


def _tellings(
    grammar: Grammar, plot: Plot, decks: Decks, words: tuple[int, int]
) -> list[tuple[str, Cast]]:
    tellings: list[tuple[str, Cast]] = []
    for _ in range(ATTEMPTS):
        cast = grammar.cast(plot, decks)
        told = grammar.story(plot, cast, decks)
        if words[0] <= len(told.split()) <= words[1]:
            tellings.append((told, cast))
        if len(tellings) == CANDIDATES:
            return tellings
    raise ValueError(f"{plot.name}: too few tellings of {words[0]} to {words[1]} words")
