"""A file from anyone, read whole and checked, or refused whole with what is wrong and where.

Nothing is guessed at, repaired or skipped: what passes here is what the file says.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lora_lab.data import decoding, delimited, json_rows, parquet, signatures
from lora_lab.data.quoting import shown
from lora_lab.data.table import Table
from lora_lab.errors import LabError

LIMIT_MB = 200


def read(path: Path, name: str | None = None) -> Table:
    """The table in the file at path; name is what the person calls the file.

    The format goes by the name's extension, one of FORMATS. Raises LabError for every fault.
    """
    named = Path(name or path.name)
    name, extension = shown(named.name), named.suffix.lower()
    content = _bytes(path, name)
    signatures.check(content, extension, name)
    if extension not in FORMATS:
        raise LabError(
            "unknown_extension",
            file=name,
            extension=shown(extension or name),
            known=" ".join(FORMATS),
        )
    return FORMATS[extension](content, name)


def _bytes(path: Path, name: str) -> bytes:
    try:
        if not path.is_file():  # nor a device, which could be read for ever
            raise LabError("file_unreadable", file=name)
        if path.stat().st_size > LIMIT_MB * 1_000_000:
            raise LabError("file_too_big", file=name, limit=LIMIT_MB)
        content = path.read_bytes()
    except (OSError, ValueError):  # ValueError: a NUL in the name
        raise LabError("file_unreadable", file=name) from None
    if not content.strip(b"\xef\xbb\xbf \t\r\n"):
        raise LabError("file_empty", file=name)
    return content


def _stream(content: bytes, name: str) -> Table:
    text = decoding.text(content, name, decoding.line_of)
    return Table(name, "txt", ["text"], [{"text": text}], [1], stream=True)


FORMATS: dict[str, Callable[[bytes, str], Table]] = {
    ".csv": delimited.read_csv,
    ".tsv": delimited.read_tsv,
    ".json": json_rows.read_json,
    ".jsonl": json_rows.read_jsonl,
    ".txt": _stream,
    ".parquet": parquet.read,
}
