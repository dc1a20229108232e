"""The same English in rare spellings, so that no piece of the vocabulary stays untrained.

English alone never uses most of the bytes above 127, nor the short pieces that a longer merge
swallows; their embeddings would stay at the noise they began with, and a text in another language
would meet noise. So a small share of the training text is a story respelt: letters with random
diacritics, other quotation marks, words in smaller pieces (BPE-dropout, Provilkov et al. 2020),
and now and then a run of pieces drawn from the whole vocabulary. None of it tells anything of
another language's words.
"""

from __future__ import annotations

import itertools
import json
import random
import unicodedata

from tokenizers import Tokenizer

DIACRITICS, DROPPED, STRANGE = 0.08, 0.15, 0.02  # a letter; a merge; a word followed by a run
MARKS = ['"', "“”", "«»", "„“", "—", "‹›", "¿?", "¡!"]


def _letters_with_diacritics() -> dict[str, list[str]]:
    """Every Latin letter up to U+017F by the plain letter it is made of, as é by e."""
    found: dict[str, list[str]] = {}
    for letter in map(chr, range(0xC0, 0x180)):
        plain = unicodedata.normalize("NFD", letter)[0]
        if plain != letter:
            found.setdefault(plain, []).append(letter)
    return found | {"o": [*found["o"], "ø", "œ"], "a": [*found["a"], "æ"], "s": [*found["s"], "ß"]}


LETTERS = _letters_with_diacritics()


def disguise(text: str, rng: random.Random) -> str:
    """Diacritics on some letters, and one style of quotation marks for the whole text."""
    marks = rng.choice(MARKS)
    letters = []
    for letter in text:
        if letter in LETTERS and rng.random() < DIACRITICS:
            letter = rng.choice(LETTERS[letter])
        elif letter == '"':
            letter = rng.choice(marks)
        letters.append(letter)
    return "".join(letters)


class Respeller:
    """Encodes text in random smaller pieces; the same seed gives the same ids."""

    def __init__(self, tokenizer: Tokenizer):
        model = json.loads(tokenizer.to_str())["model"]
        self.split = tokenizer.pre_tokenizer.pre_tokenize_str
        self.ids: dict[str, int] = model["vocab"]
        self.ranks = {tuple(pair): rank for rank, pair in enumerate(model["merges"])}
        special = set(tokenizer.get_added_tokens_decoder())
        self.ordinary = [id for id in self.ids.values() if id not in special]

    def encode(self, text: str, rng: random.Random) -> list[int]:
        ids = []
        for word, _ in self.split(disguise(text, rng)):
            ids += [self.ids[piece] for piece in self.pieces(word, rng)]
            if rng.random() < STRANGE:
                ids += rng.choices(self.ordinary, k=rng.randint(1, 4))
        return ids

    def pieces(self, word: str, rng: random.Random) -> list[str]:
        """BPE where each possible merge is passed over with probability DROPPED at each turn."""
        pieces = list(word)
        while len(pieces) > 1:
            merges = [
                (self.ranks[pair], at)
                for at, pair in enumerate(itertools.pairwise(pieces))
                if pair in self.ranks and rng.random() >= DROPPED
            ]
            if not merges:
                break
            at = min(merges)[1]
            pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
        return pieces
