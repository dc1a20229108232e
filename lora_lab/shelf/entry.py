"""The shelf: adapters as things a person owns, those of runs and those from elsewhere.

    $LORA_LAB_HOME/shelf/<id>/
        about.json   name, tags, since when deleted; of one that no run made also owner, created,
                     model (its base) and origin ("imported" or "mixed")
        adapter/     in PEFT's format; a run's own adapter stays in the run's folder
        merged/      the whole model it was merged into, where that was asked for

An id is a run's, or one of the same kind that no run has. What is deleted is marked, and taken away
when nobody has wanted it back for a day; a run's adapter then goes with its run alone.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_lab.config import home
from lora_lab.errors import LabError
from lora_lab.runs import folder as runs

UNDO_SECONDS = 24 * 3600
LONGEST_NAME, MOST_TAGS, LONGEST_TAG = 80, 12, 30
_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{16}")


class Entry:
    """One adapter of the shelf: reads its files afresh at each call and keeps nothing.

    run: the run that made it, or None.
    """

    def __init__(self, id: str, run: runs.Run | None = None):
        self.id, self.run = id, run
        self.path = folder() / id
        self.adapter = run.adapter if run else self.path / "adapter"
        self.merged = self.path / "merged"

    @property
    def about(self) -> dict[str, Any]:
        try:
            return json.loads((self.path / "about.json").read_text("utf-8"))
        except FileNotFoundError:
            return {}

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
        self._note(name=" ".join(name.split())[:LONGEST_NAME])

    def tag(self, tags: list[str]) -> None:
        """Its tags from now on, each once."""
        short = (" ".join(tag.split())[:LONGEST_TAG] for tag in tags)
        self._note(tags=list(dict.fromkeys(filter(None, short)))[:MOST_TAGS])

    def delete(self) -> None:
        """Off the shelf; `restore` puts it back for UNDO_SECONDS."""
        self._note(deleted=time.time())

    def restore(self) -> None:
        self._note(deleted=None)

    def _note(self, **told: Any) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        runs.write_json(self.path / "about.json", {**self.about, **told})


def folder() -> Path:
    return home() / "shelf"


def create(owner: str, fill: Callable[[Path], Any], **about: Any) -> Entry:
    """A new entry; fill(path) writes its adapter's folder. It appears whole or not at all."""
    entry = Entry(f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(8)}")
    making = entry.path.with_name(f".making-{entry.id}")
    making.mkdir(parents=True)
    try:
        fill(making / "adapter")
        told = {"owner": owner, "created": time.time(), **about}
        runs.write_json(making / "about.json", told)
        making.rename(entry.path)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    return entry


def find(id: str) -> Entry:
    """The adapter of that id, deleted or not. Ids come from outside: any other finds nothing."""
    if _ID.fullmatch(id):
        if (folder() / id / "adapter").is_dir():
            return Entry(id)
        try:
            entry = Entry(id, runs.find(id))
        except LabError:
            entry = None
        if entry and _saved(entry.adapter):
            return entry
    raise LabError("no_such_adapter", adapter=id[:60])


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
    made = [Entry(run.id, run) for run in runs.all_runs(owner) if _saved(run.adapter)]
    own = (path.name for path in folder().iterdir()) if folder().exists() else ()
    others = [Entry(id) for id in own if _ID.fullmatch(id) and (folder() / id / "adapter").is_dir()]
    kept = [entry for entry in others if not _forgotten(entry)]
    mine = made + [entry for entry in kept if owner is None or entry.owner == owner]
    on = [entry for entry in mine if not entry.deleted]
    # Two of one second have ids in any order.
    return sorted(on, key=lambda entry: (entry.created, entry.id), reverse=True)


def forget(id: str) -> None:
    """Take away what the shelf keeps of that id: a run's name, tags and merged model."""
    shutil.rmtree(folder() / id, ignore_errors=True)


def _saved(adapter: Path) -> bool:
    """Whether a run's adapter, or whole model, is all there: its facts are written last."""
    return (adapter / "lora_lab.json").exists()


def _forgotten(entry: Entry) -> bool:
    """Whether it was deleted so long ago that nobody wants it back; then it goes for good."""
    deleted = entry.about.get("deleted")
    if deleted is None or time.time() - deleted < UNDO_SECONDS:
        return False
    gone = entry.path.with_name(f".deleted-{entry.id}")
    entry.path.rename(gone)
    shutil.rmtree(gone)
    return True
