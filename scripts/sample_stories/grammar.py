"""A story grammar in a plain text file, and the stories it tells.

A file has sections, each under a header in square brackets:

    [words toy]          comma-separated words; a word's own fields stand after it: ballon m
    [rule weather]       one alternative a line
    [plot lost: hero child, thing toy]
                         a cast (who is drawn from which words), then the beats of the story:
                         a beat is a block of lines, each an alternative; a blank line ends it;
                         a beat that starts with a line "?" is left out of half the tellings

Inside a line, (a|b|c) is a choice, <weather> is a rule, {…} is a slot that the language writes
(see each language's module) and {hero?he|she|it} picks by the gender of who plays hero,
{hero+pal?…} by that of the two together.
An underscore in a word is a space.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

GENDERS = "mfn"
TOKEN = re.compile(r"[()|]|<[^>]+>|\{[^}]+\}|[^()|<{]+")


@dataclass(frozen=True)
class Word:
    """One entry of the lexicon: how it is written, its gender, whatever else its line says."""

    text: str
    gender: str = "n"
    forms: tuple[str, ...] = ()


Cast = dict[str, Word]


class Language(Protocol):
    """What a language's module offers: its slots, and the last touches to a beat."""

    def write(self, slot: list[str], cast: Cast) -> str: ...

    def finish(self, text: str) -> str: ...


@dataclass
class Plot:
    name: str
    cast: dict[str, str]
    beats: list[str] = field(default_factory=list)


class Decks:
    """Draws from many lists, each like a shuffled deck: nothing comes twice before all came once.

    Only random.random() is used, whose sequence for a seed is the same in every Python 3.
    """

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.decks: dict[str, list[int]] = {}

    def draw(self, name: str, count: int) -> int:
        deck = self.decks.setdefault(name, [])
        if not deck:
            deck.extend(range(count))
            for i in range(count - 1, 0, -1):
                j = int(self.random.random() * (i + 1))
                deck[i], deck[j] = deck[j], deck[i]
        return deck.pop()


class Grammar:
    """The stories of one grammar file, with the rules of one language for its slots."""

    def __init__(self, file: Path, language: Language):
        self.words: dict[str, list[Word]] = {}
        self.rules: dict[str, str] = {}
        self.plots: list[Plot] = []
        self.language = language
        for header, body in _sections(file.read_text("utf-8")):
            kind, _, name = header.partition(" ")
            if kind == "words":
                self.words[name] = [_word(entry) for entry in " ".join(body).split(",")]
            elif kind == "rule":
                self.rules[name] = _choice([line for line in body if line])
            else:
                self.plots.append(_plot(name, body))

    def cast(self, plot: Plot, decks: Decks) -> Cast:
        """Who plays what in this telling: no word plays two parts."""
        cast: Cast = {}
        for part, kind in plot.cast.items():
            words = self.words[kind]
            while True:
                word = words[decks.draw(f"words {kind}", len(words))]
                if word not in cast.values():
                    break
            cast[part] = word
        return cast

    def story(self, plot: Plot, cast: Cast, decks: Decks) -> str:
        """One telling of a plot, its beats on lines of their own, not yet finished."""
        beats = (self.tell(beat, cast, decks).strip() for beat in plot.beats)
        return "\n".join(beat for beat in beats if beat)

    def finished(self, told: str) -> str:
        """What was told, in the spelling and typography of the language."""
        return self.language.finish(tidy(told))

    def sentence(self, text: str, cast: Cast, decks: Decks) -> str:
        """One telling of a rule's or a beat's text, finished."""
        return self.finished(self.tell(text, cast, decks))

    def tell(self, text: str, cast: Cast, decks: Decks) -> str:
        """One telling of a rule's or a beat's text, not yet finished."""
        told = ""
        for kind, content, options in _parsed(text):
            if kind == "choice":
                option = options[decks.draw(content, len(options))]
                told += self.tell(option, cast, decks)
            elif kind == "rule":
                told += self.tell(self.rules[content], cast, decks)
            else:
                told += self._slot(content, cast) if kind == "slot" else content
        return told

    def _slot(self, slot: str, cast: Cast) -> str:
        part, question, options = slot.partition("?")
        if question:
            forms = options.split("|")
            return forms[min(GENDERS.index(together(part.split("+"), cast)), len(forms) - 1)]
        return self.language.write(slot.split(), cast)


def together(parts: list[str], cast: Cast) -> str:
    """The gender of one part, or of several as a group: feminine only if all are."""
    genders = {cast[part].gender for part in parts}
    return genders.pop() if len(genders) == 1 else "m"


@cache
def _parsed(text: str) -> list[tuple[str, str, list[str]]]:
    """The pieces of text: (kind, content, a choice's options)."""
    pieces: list[tuple[str, str, list[str]]] = []
    tokens = iter(TOKEN.findall(text))
    for token in tokens:
        if token == "(":
            options = _options(tokens)
            pieces.append(("choice", "|".join(options), options))
        elif token in "|)":
            raise ValueError(f"unbalanced: {text}")
        elif token[0] in "<{":
            pieces.append(("rule" if token[0] == "<" else "slot", token[1:-1], []))
        else:
            pieces.append(("text", token, []))
    return pieces


def _options(tokens: Iterator[str]) -> list[str]:
    """The options of a choice that has just opened, its end consumed."""
    options, depth = [""], 0
    for token in tokens:
        if token == ")" and depth == 0:
            return options
        if token == "|" and depth == 0:
            options.append("")
            continue
        depth += {"(": 1, ")": -1}.get(token, 0)
        options[-1] += token
    raise ValueError(f"a choice without its end: {options}")


def _sections(text: str):
    header, body = "", []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if match := re.fullmatch(r"\[(.+)\]", line):
            if header:
                yield header, body
            header, body = match[1], []
        else:
            body.append(line.strip())
    yield header, body


def _word(entry: str) -> Word:
    text, *fields = entry.split()
    gender = fields.pop(0) if fields and fields[0] in GENDERS else "n"
    return Word(text.replace("_", " "), gender, tuple(f.replace("_", " ") for f in fields))


def _choice(lines: list[str]) -> str:
    return lines[0] if len(lines) == 1 else "(" + "|".join(lines) + ")"


def _plot(header: str, body: list[str]) -> Plot:
    name, _, parts = header.partition(":")
    plot = Plot(name, dict(part.split() for part in parts.split(",")))
    beat: list[str] = []
    for line in [*body, ""]:
        if line:
            beat.append(line)
        elif beat:
            optional = beat[0] == "?"
            told = _choice(beat[optional:])
            plot.beats.append(f"({told}|)" if optional else told)
            beat = []
    return plot


def tidy(text: str) -> str:
    """Single spaces, none before a comma or full stop, a capital where a sentence or speech begins.

    Beats stand on lines of their own and are joined. After a closing quotation mark within a beat
    the case stays as it is: "Stop!" he said.
    """
    text = re.sub(r" +", " ", text).strip()
    text = re.sub(r" ([,.])", r"\1", text)
    starts = r'((?:^|[.!?…] |(?:^|[ ¡¿])")[¡¿]?)(\w)'
    text = re.sub(starts, lambda m: m[1] + m[2].upper(), text, flags=re.MULTILINE)
    return text.replace("\n", " ")
