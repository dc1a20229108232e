"""Bytes to text: UTF-8 or a LabError that names the likely encoding and the place."""

from __future__ import annotations

from collections.abc import Callable

from lora_lab.errors import LabError

# What schools' spreadsheets and editors write. Detectors take a short Galician text for Icelandic
# or Baltic, so the likely one is the one that yields the most letters these languages use.
LIKELY = {"cp1252": "Windows-1252", "cp850": "CP850", "mac_roman": "Mac Roman"}
LETTERS = set("áéíóúüñçÁÉÍÓÚÜÑÇàèìòùïâêôãõ¿¡ºª«»“”‘’–—…€")
AROUND = 50_000

Place = Callable[[str], dict]


def text(content: bytes, name: str, place: Place) -> str:
    """content decoded, its byte order mark dropped.

    place: from the text before a fault to the row and column the fault lies in.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise LabError("is_utf16", file=name, row=1)
    nul = content.find(b"\x00")
    if nul >= 0:
        raise LabError("nul_byte", file=name, **place(_before(content, nul)))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        # utf-8-sig counts from behind the mark; plain UTF-8 counts from the file's first byte
        at = fault.start + (3 if content.startswith(b"\xef\xbb\xbf") else 0)
        where = {"file": name, **place(_before(content, at))}
        likely = _likely(content[max(0, at - AROUND) : at + AROUND])
        raise LabError("not_utf8", **where, byte=f"0x{content[at]:02X}", encoding=likely) from None


def line_of(before: str) -> dict:
    """The line that follows before, counted from 1, as the row."""
    return {"row": before.count("\n") + 1}


def _before(content: bytes, at: int) -> str:
    return content[:at].decode("utf-8-sig", errors="replace")


def _likely(sample: bytes) -> str:
    def letters(encoding: str) -> int:
        return sum(character in LETTERS for character in sample.decode(encoding, "ignore"))

    return LIKELY[max(LIKELY, key=letters)]
