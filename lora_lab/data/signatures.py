"""What a file's first bytes say it is, whatever its name says."""

from __future__ import annotations

from lora_lab.errors import LabError

SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
OLD_OFFICE = b"\xd0\xcf\x11\xe0"
PARQUET = b"PAR1"

ARCHIVES = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "RAR",
    b"\x28\xb5\x2f\xfd": "zstd",
}
BINARIES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"%PDF-": "PDF",
    b"SQLite format 3\x00": "SQLite",
    b"\x7fELF": "ELF",
    b"GGUF": "GGUF",
    b"RIFF": "RIFF",
    b"{\\rtf": "RTF",
    OLD_OFFICE: "Office",
}


def check(content: bytes, extension: str, name: str) -> None:
    """Raise LabError where the bytes belong to another kind of file than the extension says."""
    if extension in SPREADSHEETS or _zipped_spreadsheet(content):
        raise LabError("is_spreadsheet", file=name)
    if content.startswith(b"PK\x03\x04"):
        raise LabError("is_archive", file=name, kind="zip")
    for start, kind in ARCHIVES.items():
        if content.startswith(start):
            raise LabError("is_archive", file=name, kind=kind)
    for start, kind in BINARIES.items():
        if content.startswith(start):
            raise LabError("is_binary", file=name, kind=kind)
    if content.startswith(PARQUET) and extension != ".parquet":
        raise LabError("is_parquet", file=name)
    if content.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        raise LabError("is_web_page", file=name)


def _zipped_spreadsheet(content: bytes) -> bool:
    """Whether a zip is an .xlsx (its parts lie in xl/) or an .ods (its first entry says so)."""
    if not content.startswith(b"PK\x03\x04"):
        return False
    return b"xl/workbook" in content or b"opendocument.spreadsheet" in content[:200]
