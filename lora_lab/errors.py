"""The one kind of error a person is shown: what is wrong, where, and what to do.

A LabError carries a key and facts, never finished sentences, so that the same error is read in
English by one person and in Galician by the next. The sentences live in `lora_lab/words/*.toml`
under `error.<key>.problem` and `error.<key>.remedy`.
"""

from __future__ import annotations

from typing import Any

from lora_lab import words


class LabError(Exception):
    """A problem a person can understand and do something about.

    key: names the sentences in the table of words.
    file, row, column: where it is; rows count as a person counts them in that file (the header of
    a table is row 1).
    facts: what the sentences mention (numbers and names, JSON-able).
    """

    def __init__(
        self,
        key: str,
        *,
        file: str | None = None,
        row: int | None = None,
        column: str | None = None,
        **facts: Any,
    ):
        self.key, self.facts = key, facts
        self.where = {
            name: value
            for name, value in (("file", file), ("row", row), ("column", column))
            if value is not None
        }
        super().__init__(key)

    def __str__(self) -> str:
        return self.text()

    def problem(self, language: str = words.DEFAULT) -> str:
        return words.say(f"error.{self.key}.problem", language, **self.facts)

    def remedy(self, language: str = words.DEFAULT) -> str:
        return words.say(f"error.{self.key}.remedy", language, **self.facts)

    def place(self, language: str = words.DEFAULT) -> str:
        """Where it is, as in "stories.csv, row 3, column 'text'"; empty when it is nowhere."""
        return ", ".join(
            words.say(f"where.{name}", language, value=value) for name, value in self.where.items()
        )

    def text(self, language: str = words.DEFAULT) -> str:
        place = self.place(language)
        start = f"{place}: " if place else ""
        return f"{start}{self.problem(language)} {self.remedy(language)}"

    def as_json(self) -> dict[str, Any]:
        return {"key": self.key, "where": self.where, "facts": self.facts}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> LabError:
        return cls(told["key"], **told["where"], **told["facts"])
