"""Spanish and Galician for the story grammar: articles and their contractions, by gender."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .grammar import Cast


@dataclass(frozen=True)
class Iberian:
    """determiners: what a slot may begin with -> how it is written (masculine, feminine)."""

    determiners: dict[str, tuple[str, str]]
    y: str = ""

    def write(self, slot: list[str], cast: Cast) -> str:
        """{hero}, {el toy}, {un toy colour}: the determiner and the adjective agree."""
        if len(slot) == 1:
            return cast[slot[0]].text
        first, *parts = slot
        noun = cast[parts[0]]
        feminine = noun.gender == "f"
        written = [self.determiners[first][feminine], noun.text]
        for adjective in (cast[part] for part in parts[1:]):
            agrees = feminine and adjective.forms
            written.append(adjective.forms[0] if agrees else adjective.text)
        return " ".join(written)

    def finish(self, text: str) -> str:
        """Angular quotation marks; in Spanish, y turns into e before the sound i."""
        if self.y:
            text = re.sub(rf"\b{self.y} (?=h?[ií](?!e))", _as_e, text, flags=re.I)
        return re.sub(r'"([^"]*)"', r"«\1»", text)


def _as_e(match: re.Match) -> str:
    return "e " if match[0].islower() else "E "


SPANISH = Iberian(
    {
        "el": ("el", "la"),
        "un": ("un", "una"),
        "del": ("del", "de la"),
        "al": ("al", "a la"),
        "su": ("su", "su"),
        "mi": ("mi", "mi"),
    },
    y="y",
)

GALICIAN = Iberian(
    {
        "o": ("o", "a"),
        "un": ("un", "unha"),
        "do": ("do", "da"),
        "dun": ("dun", "dunha"),
        "no": ("no", "na"),
        "nun": ("nun", "nunha"),
        "ao": ("ao", "á"),
        "polo": ("polo", "pola"),
        "co": ("co", "coa"),
        "cun": ("cun", "cunha"),
        "seu": ("o seu", "a súa"),
        "meu": ("o meu", "a miña"),
        "ao_seu": ("ao seu", "á súa"),
        "co_seu": ("co seu", "coa súa"),
        "polo_seu": ("polo seu", "pola súa"),
    }
)
