"""The English sets: a pirate's stories, stories with a moral, stories from a title."""

from __future__ import annotations

from pathlib import Path

from . import english
from .grammar import Decks, Grammar
from .stories import tell_many

GRAMMAR = Path(__file__).with_name("english.txt")


def pirate_stories() -> list[dict[str, str]]:
    decks = Decks(seed=11)
    grammar = Grammar(GRAMMAR, english.write)
    stories = tell_many(grammar, decks, 408, (45, 88))
    return [{"text": english.pirate(story.text, decks.draw)} for story in stories]
