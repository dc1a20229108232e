"""German for the story grammar: cases, genders, endings of adjectives, low quotation marks."""

from __future__ import annotations

import re

from .grammar import Cast, Word

NOMINATIVE, ACCUSATIVE, DATIVE = range(3)
# The endings of der- and ein-words: case -> masculine, feminine, neuter.
DER = (("der", "die", "das"), ("den", "die", "das"), ("dem", "der", "dem"))
EIN = (("", "e", ""), ("en", "e", ""), ("em", "er", "em"))
AFTER_DER = (("e", "e", "e"), ("en", "e", "e"), ("en", "en", "en"))
AFTER_EIN = (("er", "e", "es"), ("en", "e", "es"), ("en", "en", "en"))
# A preposition together with its article.
FUSED = {
    "im": (DATIVE, ("im", "in der", "im")),
    "ins": (ACCUSATIVE, ("in den", "in die", "ins")),
    "zum": (DATIVE, ("zum", "zur", "zum")),
    "am": (DATIVE, ("am", "an der", "am")),
    "beim": (DATIVE, ("beim", "bei der", "beim")),
    "vom": (DATIVE, ("vom", "von der", "vom")),
}
PRONOUNS = {"er": ("er", "sie", "es"), "ihn": ("ihn", "sie", "es"), "ihm": ("ihm", "ihr", "ihm")}


def write(slot: list[str], cast: Cast) -> str:
    """{hero}, {den toy}, {einem toy colour}, {mein toy}, {seinen@hero toy}, {im place},
    {er hero}."""
    if len(slot) == 1:
        return cast[slot[0]].text
    first, part, *rest = slot
    word = cast[part]
    gender = "mfn".index(word.gender)
    if first in PRONOUNS:
        return PRONOUNS[first][gender]
    if first in FUSED:
        case, forms = FUSED[first]
        return f"{forms[gender]} {_noun(word, case)}"
    case, determiner, endings = _determiner(first, gender, cast)
    adjectives = [
        (cast[name].text if name in cast else name) + endings[case][gender] for name in rest
    ]
    return " ".join([determiner, *adjectives, _noun(word, case)])


def _determiner(first: str, gender: int, cast: Cast) -> tuple[int, str, tuple]:
    """The case that a determiner names by its masculine form, itself agreeing, and the endings
    of the adjectives after it. sein@hero is sein or ihr, as hero is."""
    word, _, owner = first.partition("@")
    for case in (NOMINATIVE, ACCUSATIVE, DATIVE):
        if word == DER[case][0]:
            return case, DER[case][gender], AFTER_DER
        ending = EIN[case][0]
        stem = word.removesuffix(ending)
        if stem in ("ein", "mein", "sein") and word == stem + ending:
            if owner and cast[owner].gender == "f":
                stem = "ihr"
            return case, stem + EIN[case][gender], AFTER_EIN
    raise ValueError(f"no determiner: {first}")


def _noun(word: Word, case: int) -> str:
    """The noun in its case: weak ones (der Bär, den Bären) give their other form."""
    return word.forms[0] if word.forms and case != NOMINATIVE else word.text


def finish(text: str) -> str:
    """Quotation marks: below at the start, above at the end."""
    return re.sub(r'"([^"]*)"', "„\\1“", text)
