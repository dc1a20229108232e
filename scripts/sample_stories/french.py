"""French for the story grammar: articles, possessives, elision, guillemets."""

from __future__ import annotations

import re

from .grammar import Cast, together

VOWEL = re.compile("[aeiouyhàâäéèêëîïôöùûüœæ]", re.IGNORECASE)
# An h that lets no elision happen, and the other words that refuse it.
ASPIRED = re.compile(r"(hibou|hérisson|haricot|haut|hache|honte|hutte|héron|hurl|onz|oui|yeux)")
ELIDED = re.compile(
    r"(?<![\w-])(l[ea]|de|que|qu'est-ce que|jusque|lorsque|puisque|je|me|te|se|ne|ce(?= [eéê]t?))"
    r" (?=(\w+))",
    re.IGNORECASE,
)
PRONOUNS = {"il": ("il", "elle"), "ils": ("ils", "elles")}


def write(slot: list[str], cast: Cast) -> str:
    """{hero}, {le toy}, {un toy colour}, {du toy}, {au toy}, {de hero}, {son toy}, {ce toy},
    {il hero}, {ils hero pal}."""
    if len(slot) == 1:
        return cast[slot[0]].text
    first, *parts = slot
    if first in PRONOUNS:
        return PRONOUNS[first][together(parts, cast) == "f"]
    noun = cast[parts[0]]
    text = noun.text
    for part in parts[1:]:
        adjective = cast[part]
        agreed = adjective.forms[0] if noun.gender == "f" and adjective.forms else adjective.text
        text += " " + agreed
    return _determined(first, text, noun.gender == "f", elides(noun.text))


def _determined(determiner: str, noun: str, feminine: bool, vowel: bool) -> str:
    if determiner in ("de", "d'"):
        return f"de {noun}"
    if determiner in ("mon", "ton", "son"):
        return f"{determiner[0]}{'a' if feminine and not vowel else 'on'} {noun}"
    if determiner == "ce":
        return f"{'cette' if feminine else 'cet' if vowel else 'ce'} {noun}"
    if determiner == "un":
        return f"{'une' if feminine else 'un'} {noun}"
    article = "la" if feminine else "le"
    if determiner in ("du", "au") and not (feminine or vowel):
        return f"{determiner} {noun}"
    return {"le": "", "du": "de ", "au": "à "}[determiner] + f"{article} {noun}"


def elides(word: str) -> bool:
    """Whether a word makes the one before it lose its vowel."""
    return bool(VOWEL.match(word)) and not ASPIRED.match(word.lower())


def finish(text: str) -> str:
    """Elision, then guillemets and signs with their no-break spaces."""
    text = ELIDED.sub(lambda m: m[1][:-1] + "'" if elides(m[2]) else m[0], text)
    text = re.sub(r"([!?]) *\",", r'\1"', text)
    text = re.sub(r'"([^"]*)"', "«\u00a0\\1\u00a0»", text)
    return re.sub(r"[ \u00a0]*([!?:;])", "\u00a0\\1", text)
