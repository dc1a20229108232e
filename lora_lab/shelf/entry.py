"""The shelf: adapters as things a person owns, those of runs and those from elsewhere.

    $LORA_LAB_HOME/shelf/<id>/
        about.json   name, tags, since when deleted; of one that no run made also owner, created,
                     model (its base) and origin ("imported" or "mixed")
        adapter/     in PEFT's format; a run's own adapter stays in the run's folder
        merged/      the whole model it was merged into, where that was asked for, and merged.zip

An id is a run's, or one of the same kind that no run has. What is deleted is marked, and taken away
when nobody has wanted it back for a day, or room is short (room.py); a run's adapter goes with its
run alone. Whoever changes what is there holds the shelf's lock.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from lora_lab.config import home
from lora_lab.errors import LabError
from lora_lab.runs import folder as runs
from lora_lab.runs import staging

UNDO_SECONDS = 24 * 3600
LONGEST_NAME, MOST_TAGS, LONGEST_TAG = 80, 12, 30
_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{16}")


class Entry:
    """One adapter of the shelf: reads its files afresh at each call and keeps nothing.

    run: the run that made it, or None.
    """

    def __init__(self, id: str, run: runs.Run | None = None):
        self.id, self.run = id, run
        self.path = folder() / id
        self.adapter = run.adapter if run else self.path / "adapter"
        self.merged, self.merged_zip = self.path / "merged", self.path / "merged.zip"

    @property
    def about(self) -> dict[str, Any]:
        try:
            return json.loads((self.path / "about.json").read_text("utf-8"))
        except FileNotFoundError:
            if self.run:
                return {}  # nobody called it anything
            raise LabError("no_such_adapter", adapter=self.id) from None

    @property
    def owner(self) -> str:
        return self.run.owner if self.run else self.about["owner"]

    @property
    def created(self) -> float:
        """Seconds since the epoch."""
        return self.run.config["created"] if self.run else self.about["created"]

    @property
    def deleted(self) -> bool:
        return self.about.get("deleted") is not None

    def rename(self, name: str) -> None:
        """What its owner calls it; empty for what the lab calls it."""
        self._note(name=_plain(name, LONGEST_NAME))

    def tag(self, tags: list[str]) -> None:
        """Its tags from now on, each once."""
        short = (_plain(tag, LONGEST_TAG) for tag in tags)
        self._note(tags=list(dict.fromkeys(filter(None, short)))[:MOST_TAGS])

    def delete(self) -> None:
        """Off the shelf; `restore` puts it back for UNDO_SECONDS."""
        self._note(deleted=time.time())

    def restore(self) -> None:
        self._note(deleted=None)

    def keep_merged(self, making: Path) -> None:
        """Put the model and the zip that were made there in the place of those before."""
        with self._there():
            self._drop_merged()
            for part in (self.merged, self.merged_zip):
                (making / part.name).rename(part)

    def let_go(self, seconds: float = 0) -> bool:
        """For good, if it was deleted so many seconds ago and nobody has wanted it back; of a run's
        adapter what the shelf has of it. Whether something went."""
        with alone():
            deleted = self.about.get("deleted")
            if deleted is None or time.time() - deleted < seconds:
                return False
            if self.run:
                return self._drop_merged()
            staging.take_away(self.path)
            return True

    def _drop_merged(self) -> bool:
        there = self.merged.exists()
        shutil.rmtree(self.merged, ignore_errors=True)
        self.merged_zip.unlink(missing_ok=True)
        return there

    def _note(self, **told: Any) -> None:
        with self._there():
            runs.write_json(self.path / "about.json", {**self.about, **told})

    @contextmanager
    def _there(self) -> Iterator[None]:
        """Its folder, for something to be written into; nobody takes it away meanwhile."""
        with alone():
            if not self.adapter.is_dir():
                raise LabError("no_such_adapter", adapter=self.id)
            self.path.mkdir(exist_ok=True)
            yield


def folder() -> Path:
    return home() / "shelf"


@contextmanager
def alone() -> Iterator[None]:
    """Nobody else changes the shelf meanwhile."""
    folder().mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder() / ".lock"):
        yield


def create(owner: str, fill: Callable[[Path], Any], **about: Any) -> Entry:
    """A new entry; fill(path) writes its adapter's folder. It appears whole or not at all. about:
    its name, model and origin."""
    entry = Entry(f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(8)}")
    with staging.making(folder()) as making:
        fill(making / "adapter")
        about["name"] = _plain(about.get("name", ""), LONGEST_NAME)
        told = {"owner": owner, "created": time.time(), **about}
        runs.write_json(making / "about.json", told)
        making.rename(entry.path)
    return entry


def find(id: str) -> Entry:
    """The adapter of that id, deleted or not. Ids come from outside: any other finds nothing."""
    if _ID.fullmatch(str(id)):
        if (folder() / id / "adapter").is_dir():
            return Entry(id)
        try:
            entry = Entry(id, runs.find(id))
        except LabError:
            entry = None
        if entry and _saved(entry.adapter):
            return entry
    raise LabError("no_such_adapter", adapter=str(id)[:60])


def owned(id: str, owner: str) -> Entry:
    """The adapter of that id if it is this owner's and on the shelf; a stranger learns nothing."""
    entry = find(id)
    if entry.owner != owner or entry.deleted:
        raise LabError("no_such_adapter", adapter=id[:60])
    return entry


def named(name: str) -> Entry:
    """The adapter of that id or of that name, the newest of them."""
    if _ID.fullmatch(name):
        return find(name)
    for entry in all_entries():
        if name and entry.about.get("name") == name:
            return entry
    raise LabError("no_such_adapter", adapter=name[:60])


def all_entries(owner: str | None = None) -> list[Entry]:
    """Every adapter on the shelf, newest first; with an owner, theirs alone."""
    looks = runs.still_there(every(owner), lambda each: (each.deleted, each.created, each.id, each))
    told = list(looks)
    gone = [entry for deleted, *_, entry in told if deleted]
    list(runs.still_there(gone, lambda each: each.let_go(UNDO_SECONDS)))
    # Two of one second have ids in any order.
    on = sorted((look for look in told if not look[0]), key=lambda look: look[1:3], reverse=True)
    return [entry for *_, entry in on]


def every(owner: str | None = None) -> list[Entry]:
    """Runs' adapters and those that no run made, deleted or not; with an owner, theirs alone."""
    made = [Entry(run.id, run) for run in runs.all_runs(owner) if _saved(run.adapter)]
    names = [path.name for path in folder().iterdir()] if folder().exists() else []
    own = [Entry(id) for id in names if _ID.fullmatch(id) and (folder() / id / "adapter").is_dir()]
    owners = runs.still_there(own, lambda each: (each, each.owner))
    return made + [entry for entry, its_owner in owners if owner in (None, its_owner)]


def forget(id: str) -> None:
    """Take away what the shelf keeps of that id: a run's name, tags and merged model."""
    with alone():
        shutil.rmtree(folder() / id, ignore_errors=True)


def _plain(name: str, longest: int) -> str:
    """On one line, without what no reader sees."""
    seen = "".join(c if c.isprintable() else " " for c in name)
    return " ".join(seen.split())[:longest]


def _saved(adapter: Path) -> bool:
    """Whether a run's adapter, or whole model, is all there: its facts are written last."""
    return (adapter / "lora_lab.json").exists()
