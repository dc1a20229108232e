"""Plain text files in, documents out, with an end part that nothing trains on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

END = "<|endoftext|>"


@dataclass(frozen=True)
class Source:
    """A file of documents, each followed by a line `<|endoftext|>`; weight: how often it is drawn,
    against the other files (1 each: by their sizes)."""

    path: Path
    weight: float = 1.0

    @classmethod
    def parse(cls, told: str) -> Source:
        """`stories.txt` or `stories.txt:2.5`."""
        path, _, weight = told.rpartition(":")
        return cls(Path(path), float(weight)) if path else cls(Path(told))


def documents(text: str) -> list[str]:
    return [document.strip() for document in text.split(END) if document.strip()]


def split(text: str, share: float) -> tuple[str, str]:
    """The text and its last `share` of bytes, cut at the first document that begins in there."""
    raw = text.encode()
    start = raw.find(END.encode(), int(len(raw) * (1 - share)))
    cut = len(raw) if start < 0 else start + len(END)
    return raw[:cut].decode(), raw[cut:].decode()
