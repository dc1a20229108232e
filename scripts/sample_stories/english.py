"""English for the story grammar, and how a pirate would say it."""

from __future__ import annotations

import re
from collections.abc import Callable

from .grammar import Cast

PRONOUNS = {
    "he": ("he", "she", "it"),
    "him": ("him", "her", "it"),
    "his": ("his", "her", "its"),
}
SMALL = {"a", "an", "and", "but", "for", "in", "of", "the", "to", "said"}

PIRATE = {
    "the": "th'",
    "and": "an'",
    "of": "o'",
    "you": "ye",
    "your": "yer",
    "my": "me",
    "is": "be",
    "are": "be",
    "am": "be",
    "friend": "matey",
    "friends": "mateys",
    "boy": "lad",
    "girl": "lass",
    "little": "wee",
    "small": "wee",
    "tiny": "wee",
    "never": "ne'er",
    "before": "afore",
    "for": "fer",
    "to": "t'",
    "with": "wi'",
    "over": "o'er",
    "ever": "e'er",
    "hello": "ahoy",
    "yes": "aye",
    "them": "'em",
    "old": "ol'",
    "beautiful": "bonny",
    "pretty": "bonny",
    "lovely": "bonny",
    "hooray": "yo-ho-ho",
    "food": "grub",
    "goodbye": "fare ye well",
    "children": "wee mateys",
    "everyone": "all hands",
    "very": "mighty",
    "everybody": "all hands",
    "house": "cabin",
    "bed": "bunk",
    "stairs": "ladder",
    "floor": "deck",
    "cook": "ship's cook",
    "money": "doubloons",
    "coins": "doubloons",
    "coin": "doubloon",
    "box": "chest",
    "shouted": "bellowed",
    "laughed": "cackled",
}
PHRASES = [
    (r"\bIt is\b", "'Tis"), (r"\bit is\b", "'tis"), (r"\bIt was\b", "'Twas"),
    (r"\bit was\b", "'twas"), (r"\bThank you\b", "I thank ye"), (r"\bthank you\b", "I thank ye"),
    (r"\bLittle by little\b", "Bit by bit"),
    (r"\ba little(?=[.,!])", "a wee bit"), (r"\bStop that\b", "Avast"),
    (r"\bDo not\b", "Don't ye"), (r"\bOh no\b", "Blow me down"),
    (r"\bLook\b(?=[!,])", "Land ho"), (r"\bPoor thing\b", "Poor wee swab"),
]  # fmt: skip
ASIDES = [
    "Arr!", "Shiver me timbers!", "Blow me down!", "Yo-ho-ho!", "Mark me words, mateys!",
    "By th' seven seas!", "Sink me!", "Aye, aye!", "Well, batten th' hatches!", "Avast!",
]  # fmt: skip
FIRST = [
    "", "", "", "Ahoy, me hearties!", "Arr, listen well!", "Gather 'round, ye swabs!",
    "Lend me yer ears, mateys!", "Here be a tale fer ye.",
]  # fmt: skip
LAST = [
    "An' that be th' end o' me yarn.", "An' that be a true tale, or I be a codfish.",
    "Arr, an' so it ended, says ol' Captain Salt.", "An' that be that, savvy?",
    "So drink up yer milk, me hearties!", "Now off t' yer bunks, ye wee scallywags!",
    "An' if ye doubt it, ask me parrot.", "Fair winds t' ye all!", "Arr, I love that tale.",
    "Now swab th' deck an' sleep well.", "An' not a word o' it be a lie.",
    "So says th' captain, an' th' sea knows it.",
]  # fmt: skip


def write(slot: list[str], cast: Cast) -> str:
    """{hero}, {a toy}, {a colour} toy, {he hero} {him hero} {his hero}."""
    word = cast[slot[-1]]
    if len(slot) == 1:
        return word.text
    if slot[0] == "a":
        return f"{'an' if word.text[0] in 'aeiou' else 'a'} {word.text}"
    return PRONOUNS[slot[0]]["mfn".index(word.gender)]


def finish(text: str) -> str:
    """English is written as the grammar has it."""
    return text


def title_case(title: str) -> str:
    """Capitals on every word but the small ones inside."""
    words = title.split()
    return " ".join(
        w if i and w.lower() in SMALL else w[0].upper() + w[1:] for i, w in enumerate(words)
    )


def pirate(story: str, draw: Callable[[str, int], int]) -> str:
    """The same story in a pirate's mouth. draw(name, count) chooses his asides."""
    for pattern, said in PHRASES:
        story = re.sub(pattern, said, story)
    story = re.sub(r"[A-Za-z]+", _pirate_word, story)
    sentences = re.split(r"(?<=[.!?]) (?=[A-Z'])", story)
    at = 1 + draw(f"place {len(sentences)}", len(sentences) - 1)
    sentences.insert(at, ASIDES[draw("aside", len(ASIDES))])
    first, last = FIRST[draw("first", len(FIRST))], LAST[draw("last", len(LAST))]
    return " ".join([first, *sentences, last]).strip()


def _pirate_word(match: re.Match) -> str:
    word = match[0]
    said = PIRATE.get(word.lower(), word.lower())
    if said.endswith("ing") and re.search("[aeiouy]", said[:-3]) and said != "duckling":
        said = said[:-1] + "'"
    elif said == word.lower():
        return word
    if not word[0].isupper():
        return said
    letter = re.search("[a-z]", said).start()
    return said[:letter] + said[letter].upper() + said[letter + 1 :]
