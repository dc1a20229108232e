"""What happened in a run: a file that only grows, a JSON object a line, until a resume cuts it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

Event = dict[str, Any]


def read(path: Path, offset: int = 0) -> tuple[list[Event], int]:
    """The whole lines after byte offset, and the offset to ask from next time.

    Where no line begins at offset, a resume has cut the file back since (and may have made it
    longer again): it is then read from its start.
    """
    try:
        with path.open("rb") as file:
            offset = offset if _begins_a_line(file, offset) else 0
            file.seek(offset)
            whole, newline, _ = file.read().rpartition(b"\n")
    except FileNotFoundError:
        return [], 0
    lines = whole.split(b"\n") if newline else []
    return [json.loads(line) for line in lines], offset + len(whole) + len(newline)


def append(path: Path, kind: str, **figures: Any) -> int:
    """Write one event down; returns the size of the file so far in bytes."""
    line = json.dumps({"kind": kind, "time": time.time(), **figures}, allow_nan=False)
    with path.open("ab") as file:
        file.write(line.encode() + b"\n")
        return file.tell()


def cut(path: Path, size: int) -> None:
    """Forget the events after the first size bytes."""
    with path.open("ab") as file:
        file.truncate(size)


def keep(path: Path, stays: Callable[[Event], bool]) -> None:
    """Forget all other events, in one step."""
    lines = [json.dumps(event).encode() + b"\n" for event in read(path)[0] if stays(event)]
    part = path.with_suffix(".part")
    part.write_bytes(b"".join(lines))
    part.replace(path)


def _begins_a_line(file: BinaryIO, offset: int) -> bool:
    """Whether the byte before offset ends a line."""
    if offset < 1:
        return False
    file.seek(offset - 1)
    return file.read(1) == b"\n"
