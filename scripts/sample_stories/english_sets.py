"""The English sets: a pirate's stories, stories with a moral, stories from a title."""

from __future__ import annotations

from pathlib import Path

from . import english
from .grammar import Decks, Grammar
from .stories import Story, tell_many

GRAMMAR = Path(__file__).with_name("english.txt")
# Stories written one by one, a line each. Out of a grammar its turns of phrase would be a second
# thing to learn besides the pirate's voice, and the set would be far from what the base knows.
PLAIN = Path(__file__).with_name("plain_stories.txt")
ROWS = 408


def pirate_stories() -> list[dict[str, str]]:
    """Stories as a pirate tells them."""
    decks = Decks(seed=11)
    stories = PLAIN.read_text("utf-8").splitlines()
    return [{"text": english.pirate(story, decks.draw)} for story in stories]


def moral_stories() -> list[dict[str, str]]:
    """Stories that end with a moral of their plot's."""
    grammar, decks, stories = _told(seed=12, words=(45, 82))
    morals = [_of_plot(grammar, "moral", story, decks) for story in stories]
    return [
        {"text": f"{story.text} Moral: {moral}"}
        for story, moral in zip(stories, morals, strict=True)
    ]


def title_stories() -> list[dict[str, str]]:
    """A title that names the story's hero, thing or place, and the story."""
    grammar, decks, stories = _told(seed=13, words=(45, 82))
    return [
        {
            "prompt": english.title_case(_of_plot(grammar, "title", story, decks)),
            "response": story.text,
        }
        for story in stories
    ]


def _told(seed: int, words: tuple[int, int]) -> tuple[Grammar, Decks, list[Story]]:
    grammar, decks = Grammar(GRAMMAR, english), Decks(seed)
    return grammar, decks, tell_many(grammar, decks, ROWS, words)


def _of_plot(grammar: Grammar, kind: str, story: Story, decks: Decks) -> str:
    return grammar.sentence(f"<{kind}-{story.plot.name}>", story.cast, decks)
