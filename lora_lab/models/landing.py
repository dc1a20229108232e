"""How a model lands in the cache: whole, checked and marked with where it came from, or not at all.

A download is written to `<name>.partial` and renamed to `<name>` when every file is there; the
mark, `source.json`, lists each file's size. A lock file keeps two processes from fetching one
model twice.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from lora_lab.config import home
from lora_lab.errors import LabError

MARK = "source.json"


@dataclass(frozen=True)
class Progress:
    """How far a model has come. done, total: bytes; seconds_left: None while nobody can tell.

    phase: "fetching", "converting" (a GGUF becoming safetensors; done and total are 0) or
    "waiting" (another process is fetching this model now).
    """

    phase: str
    done: int
    total: int
    seconds_left: float | None


Report = Callable[[Progress], None]


class Meter:
    """Tells `report` how a download goes, four times a second at most.

    The rate is taken from when bytes began to come, over those that came since: neither a slow
    start nor what an earlier try had left counts.
    """

    def __init__(self, report: Report, total: int):
        self.report, self.total = report, total
        self._first, self._start = -1, 0.0
        self._last = 0.0

    def after(self, before: int) -> Callable[[int], None]:
        """What a file that comes after `before` bytes of others tells its own bytes to."""
        return lambda came: self.at(before + came)

    def at(self, done: int) -> None:
        now, done = time.monotonic(), min(done, self.total)
        if self._first < 0 and done > self.total // 1000:
            self._first, self._start = done, now
        if now - self._last < 0.25 and done < self.total:
            return
        self._last = now
        came, seconds = done - self._first, now - self._start
        left = (self.total - done) * seconds / came if self._first >= 0 and came else None
        self.report(Progress("fetching", done, self.total, left))


def cached(key: str) -> tuple[Path, str] | None:
    """The folder and source of a model that landed and is still whole; None otherwise."""
    folder = _folder(key)
    try:
        mark = json.loads((folder / MARK).read_text("utf-8"))
        whole = all((folder / n).stat().st_size == size for n, size in mark["files"].items())
        return (folder, mark["source"]) if whole else None
    except (OSError, ValueError, KeyError):
        return None


@contextmanager
def alone(key: str, report: Report) -> Iterator[None]:
    """Holds the model's lock; while another process has it, says so twice a second."""
    _folder(key).parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(_folder(key).with_name(f"{key}.lock"))
    while True:
        try:
            lock.acquire(timeout=0.5)
            break
        except Timeout:
            report(Progress("waiting", 0, 0, None))
    try:
        yield
    finally:
        lock.release()


def partial(key: str) -> Path:
    """The folder a download is written to; what an earlier try left there is kept."""
    folder = _folder(key).with_name(f"{key}.partial")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def land(key: str, came: Path, source: str) -> Path:
    """Marks the folder `came` with its source and makes it the cached model, in one rename."""
    files = sorted(path for path in came.iterdir() if path.is_file())
    for path in files:
        with path.open("rb") as file:
            os.fsync(file.fileno())
    mark = {"source": source, "files": {path.name: path.stat().st_size for path in files}}
    (came / MARK).write_text(json.dumps(mark, indent=2), "utf-8")
    folder = _folder(key)
    if folder.exists():
        shutil.rmtree(folder)
    return came.rename(folder)


def check_room(need: int, model: str) -> None:
    """Raises not_enough_disk when `need` more bytes do not fit beside the cache."""
    free = shutil.disk_usage(home() if home().exists() else home().anchor).free
    if need > free:
        raise LabError("not_enough_disk", model=model, need=_gb(need), free=_gb(free))


def _gb(size: int) -> float:
    return round(size / 1e9, 2)


def _folder(key: str) -> Path:
    return home() / "models" / key
