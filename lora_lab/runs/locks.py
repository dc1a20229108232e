"""A lock that lives as long as its holder: the system lets go of it at a process's death."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import filelock


@contextmanager
def taken(lock: filelock.BaseFileLock, seconds: float = 0.0) -> Iterator[bool]:
    """Whether the lock could be taken in so many seconds; if so it is held while this lasts."""
    try:
        lock.acquire(timeout=seconds)
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
