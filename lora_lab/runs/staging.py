"""What appears whole or not at all, and is gone at once: folders made, and taken away, beside their
place and moved by a rename.

    .making-<random>/   being written, for as long as somebody holds .making-<random>.lock
    .deleted-<random>/  on its way out

The system lets go of a lock at its holder's death, so what a killed process left is told from what
is being written now: `sweep` takes the one away and leaves the other.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from lora_lab.runs import locks

MAKING, DELETED = ".making-", ".deleted-"


@contextmanager
def making(parent: Path) -> Iterator[Path]:
    """A new folder in parent to write in. What is to stay is renamed out of it, or with it."""
    parent.mkdir(parents=True, exist_ok=True)
    place = parent / f"{MAKING}{secrets.token_hex(8)}"
    with _held(place) as held:
        assert held
        try:
            place.mkdir()
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


def take_away(path: Path) -> None:
    """Delete a folder that others may be listing: they see it whole or not. Raises
    FileNotFoundError where somebody else was faster."""
    gone = path.with_name(f"{DELETED}{secrets.token_hex(8)}")
    path.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def sweep(parent: Path) -> None:
    """Take away what killed processes left in parent."""
    for gone in parent.glob(f"{DELETED}*"):
        shutil.rmtree(gone, ignore_errors=True)
    for place in [path for path in parent.glob(f"{MAKING}*") if path.is_dir()]:
        with _held(place) as held:
            if held:
                shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _held(place: Path) -> Iterator[bool]:
    """Whether place's lock could be taken; held until the end, and then it is gone."""
    lock = filelock.FileLock(place.with_name(f"{place.name}.lock"))
    held = False
    try:
        with locks.taken(lock) as held:
            yield held
    finally:
        if held:
            Path(lock.lock_file).unlink(missing_ok=True)
