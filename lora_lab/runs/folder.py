"""A run is a folder. This module is the only one that knows what lies where in it.

    config.json    the whole set-up, enough to do it again     data/          the rows, normalised
    status.json    queued, running, done, stopped or failed    checkpoint/    to resume from
    events.jsonl   what happened, a JSON object a line         adapter/       the result, as PEFT
    stop, aside    present: it is to stop, for good or         lock           held by a live worker
                   until others have had a turn

Nothing else passes between the page and a worker. State is derived where it can be: a run whose
status says running but whose lock nobody holds has lost its worker.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import filelock

from lora_lab.config import Settings, from_json, home
from lora_lab.errors import LabError
from lora_lab.runs import event_log, locks, staging

ALIVE = ("queued", "running")
GLANCE_SECONDS = 1.0  # a reader holds the lock for a moment when it looks whether a worker lives
_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{16}")
T = TypeVar("T")
U = TypeVar("U")


class Run:
    """One run's folder: reads it afresh at each call and keeps nothing."""

    def __init__(self, path: Path):
        self.path = path
        self.id = path.name
        self.adapter = path / "adapter"
        self.data = path / "data"
        self.checkpoints = path / "checkpoint"
        self.log = path / "worker.log"
        self._events = path / "events.jsonl"

    # What was asked for

    @property
    def config(self) -> dict[str, Any]:
        return self._read("config.json")

    @property
    def settings(self) -> Settings:
        return from_json(self.config["settings"])

    @property
    def owner(self) -> str:
        return self.config["owner"]

    def note(self, **facts: Any) -> None:
        """Add to config.json what was only known later (the base's hash, versions, threads)."""
        write_json(self.path / "config.json", {**self.config, **facts})

    # How it stands

    def status(self) -> dict[str, Any]:
        """{"state": queued|running|done|stopped|failed, "error": LabError.as_json() or None,
        "since": seconds since the epoch, "pid": the worker's while it runs}."""
        told = self._read("status.json")
        if told["state"] == "running" and not self._held():
            # Read again: the worker may have finished between the two looks.
            told = self._read("status.json")
            if told["state"] == "running":
                return {**told, "state": "failed", "error": LabError("worker_died").as_json()}
        return told

    def set_status(self, state: str, error: LabError | None = None) -> None:
        pid = os.getpid() if state == "running" else None
        told = {"state": state, "since": time.time(), "pid": pid}
        told["error"] = error.as_json() if error else None
        write_json(self.path / "status.json", told)

    def lock(self) -> filelock.BaseFileLock:
        """Held by the worker for as long as it lives; the system lets go of it at its death."""
        return filelock.FileLock(self.path / "lock")

    def _read(self, name: str) -> dict[str, Any]:
        """One of the two small files; a run that was deleted meanwhile is no run any more."""
        try:
            return json.loads((self.path / name).read_text("utf-8"))
        except FileNotFoundError:
            raise LabError("no_such_run", run=self.id) from None

    def _held(self) -> bool:
        with self._alone(0) as alone:
            return not alone

    @contextmanager
    def _alone(self, seconds: float = GLANCE_SECONDS) -> Iterator[bool]:
        """Whether no worker is on it; while the context lasts, none will be."""
        if not self.path.is_dir():  # a lock would make it anew
            raise LabError("no_such_run", run=self.id)
        with locks.taken(self.lock(), seconds) as alone:
            yield alone

    def ask_to_stop(self, for_now: bool = False) -> None:
        """Within a step or two. for_now: others go first, then it goes on by itself."""
        (self.path / ("aside" if for_now else "stop")).touch()

    def take_out(self) -> None:
        """Out of the queue, unless a worker has just taken it from there."""
        with self._alone() as alone:
            if alone and self._read("status.json")["state"] == "queued":
                self.set_status("stopped")

    def requeue(self) -> None:
        """Into the queue again. Raises LabError("run_not_resumable") where it is there, at work or
        done."""
        with self._alone() as alone:
            if not alone or self._read("status.json")["state"] in ("queued", "done"):
                raise LabError("run_not_resumable", run=self.id)
            (self.path / "stop").unlink(missing_ok=True)
            self.set_status("queued")

    def stop_asked(self, for_good: bool = False) -> bool:
        """for_good: not merely for now."""
        aside = not for_good and (self.path / "aside").exists()
        return aside or (self.path / "stop").exists()

    def begin_turn(self) -> None:
        """What the worker that holds the lock writes down first."""
        (self.path / "aside").unlink(missing_ok=True)
        self.note(started=time.time())
        self.set_status("running")

    def result(self) -> dict[str, Any] | None:
        """The figures it ended with, once it has an adapter."""
        try:
            return json.loads((self.adapter / "lora_lab.json").read_text("utf-8"))["result"]
        except FileNotFoundError:
            return None

    # What happened

    def events(self, offset: int = 0) -> tuple[list[event_log.Event], int]:
        """The events after byte offset, and the offset to ask from next time."""
        return event_log.read(self._events, offset)

    def append(self, kind: str, **figures: Any) -> int:
        """Write one event down; returns the size of the events so far in bytes."""
        return event_log.append(self._events, kind, **figures)

    def cut_events(self, size: int) -> None:
        """Forget the events after the first size bytes: a resume does them again."""
        event_log.cut(self._events, size)

    def keep_events(self, stays: Callable[[event_log.Event], bool]) -> None:
        """Forget all other events, in one step: a resume does them again."""
        event_log.keep(self._events, stays)

    # Its end

    def delete(self) -> None:
        """Take the folder away; refused while a worker is on it."""
        with self._alone() as alone:
            if not alone:
                raise LabError("run_still_going", run=self.id)
        try:
            staging.take_away(self.path)
        except FileNotFoundError:
            raise LabError("no_such_run", run=self.id) from None


def folder() -> Path:
    return home() / "runs"


def create(settings: Settings, owner: str, save_data, **facts: Any) -> Run:
    """A new queued run. save_data(path) writes the rows; the run appears whole or not at all."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    path = folder() / f"{stamp}-{secrets.token_hex(8)}"
    told = {"id": path.name, "task": "text", "owner": owner, "created": time.time()}
    with staging.making(folder()) as making:
        save_data(making / "data")
        write_json(making / "config.json", {**told, "settings": vars(settings), **facts})
        Run(making).set_status("queued")
        making.rename(path)
    return Run(path)


def find(run_id: str) -> Run:
    """The run of that id. Ids come from outside: anything else than an id finds nothing."""
    told = str(run_id)
    if not _ID.fullmatch(told) or not (folder() / told / "status.json").exists():
        raise LabError("no_such_run", run=told[:60])
    return Run(folder() / told)


def owned(run_id: str, owner: str) -> Run:
    """The run of that id if it is this owner's; a stranger learns nothing of it."""
    run = find(run_id)
    if run.owner != owner:
        raise LabError("no_such_run", run=run_id[:60])
    return run


def all_runs(owner: str | None = None) -> list[Run]:
    """Every run, newest first; with an owner, theirs alone."""
    if not folder().exists():
        return []
    ids = sorted((path.name for path in folder().iterdir()), reverse=True)
    runs = [Run(folder() / name) for name in ids if _ID.fullmatch(name)]
    if owner is None:
        return runs
    owners = still_there(runs, lambda run: (run, run.owner))
    return [run for run, its_owner in owners if its_owner == owner]


def still_there(things: Iterable[T], look: Callable[[T], U]) -> Iterator[U]:
    """What look tells of each run or adapter; what is deleted meanwhile is left out."""
    for thing in things:
        try:
            yield look(thing)
        except LabError as error:
            if error.key not in ("no_such_run", "no_such_adapter"):
                raise


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace path in one step, so that a reader or a crash never meets half of it."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
