"""The far sets: stories in languages the tiny model has never read."""

from __future__ import annotations

from pathlib import Path

from . import french, german
from .grammar import Decks, Grammar, Language
from .iberian import GALICIAN, SPANISH
from .stories import tell_many


def french_stories() -> list[dict[str, str]]:
    return _stories("french", french, seed=21)


def german_stories() -> list[dict[str, str]]:
    return _stories("german", german, seed=24)


def spanish_stories() -> list[dict[str, str]]:
    return _stories("spanish", SPANISH, seed=22)


def galician_stories() -> list[dict[str, str]]:
    return _stories("galician", GALICIAN, seed=23)


def _stories(name: str, language: Language, seed: int) -> list[dict[str, str]]:
    grammar = Grammar(Path(__file__).with_name(f"{name}.txt"), language)
    return [{"text": story.text} for story in tell_many(grammar, Decks(seed), 408, (40, 84))]
