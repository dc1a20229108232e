"""A run is a folder. This module is the only one that knows what lies where in it.

    config.json    the whole set-up, enough to do it again     data/          the rows, normalised
    status.json    queued, running, done, stopped or failed    checkpoint/    to resume from
    events.jsonl   what happened, a JSON object a line         adapter/       the result, as PEFT
    stop           present: somebody asked it to stop          lock           held by a live worker

Nothing else passes between the page and a worker. State is derived where it can be: a run whose
status says running but whose lock nobody holds has lost its worker.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import filelock

from lora_lab.config import Settings, from_json, home
from lora_lab.errors import LabError

ALIVE = ("queued", "running")
_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{16}")


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
        return json.loads((self.path / "config.json").read_text("utf-8"))

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
        told = json.loads((self.path / "status.json").read_text("utf-8"))
        if told["state"] == "running" and not self._held():
            # Read again: the worker may have finished between the two looks.
            told = json.loads((self.path / "status.json").read_text("utf-8"))
            if told["state"] == "running":
                return {**told, "state": "failed", "error": LabError("worker_died").as_json()}
        return told

    def set_status(self, state: str, error: LabError | None = None) -> None:
        write_json(
            self.path / "status.json",
            {
                "state": state,
                "since": time.time(),
                "error": error.as_json() if error else None,
                "pid": os.getpid() if state == "running" else None,
            },
        )

    def lock(self) -> filelock.BaseFileLock:
        """Held by the worker for as long as it lives; the system lets go of it at its death."""
        return filelock.FileLock(self.path / "lock")

    def _held(self) -> bool:
        lock = self.lock()
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            return True
        lock.release()
        return False

    def ask_to_stop(self) -> None:
        (self.path / "stop").touch()

    def forget_stop(self) -> None:
        (self.path / "stop").unlink(missing_ok=True)

    def stop_asked(self) -> bool:
        return (self.path / "stop").exists()

    def result(self) -> dict[str, Any] | None:
        """The figures it ended with, once it has an adapter."""
        try:
            return json.loads((self.adapter / "lora_lab.json").read_text("utf-8"))["result"]
        except FileNotFoundError:
            return None

    def resumable(self) -> bool:
        return self.status()["state"] in ("stopped", "failed")

    # What happened

    def events(self, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """The whole lines after byte offset, and the offset to ask from next time.

        Where no line begins at offset, a resume has cut the file back since (and may have made it
        longer again): it is then read from its start.
        """
        try:
            with self._events.open("rb") as file:
                offset = offset if _begins_a_line(file, offset) else 0
                file.seek(offset)
                whole, newline, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return [], 0
        lines = whole.split(b"\n") if newline else []
        return [json.loads(line) for line in lines], offset + len(whole) + len(newline)

    def append(self, kind: str, **figures: Any) -> int:
        """Write one event down; returns the size of the events so far in bytes."""
        line = json.dumps({"kind": kind, "time": time.time(), **figures}, allow_nan=False)
        with self._events.open("ab") as file:
            file.write(line.encode() + b"\n")
            return file.tell()

    def cut_events(self, size: int) -> None:
        """Forget the events after the first size bytes: a resume does them again."""
        with self._events.open("ab") as file:
            file.truncate(size)

    def keep_events(self, stays: Callable[[dict[str, Any]], bool]) -> None:
        """Forget all other events, in one step: a resume does them again."""
        lines = [json.dumps(event).encode() + b"\n" for event in self.events()[0] if stays(event)]
        part = self._events.with_suffix(".part")
        part.write_bytes(b"".join(lines))
        part.replace(self._events)

    # Its end

    def delete(self) -> None:
        """Take the folder away; refused while a worker is on it."""
        if self.status()["state"] == "running":
            raise LabError("run_still_going", run=self.id)
        # Renamed first: a half-deleted folder must never be listed.
        gone = self.path.with_name(f".deleted-{self.id}")
        self.path.rename(gone)
        shutil.rmtree(gone)


def _begins_a_line(file: BinaryIO, offset: int) -> bool:
    """Whether the byte before offset ends a line."""
    if offset < 1:
        return False
    file.seek(offset - 1)
    return file.read(1) == b"\n"


def folder() -> Path:
    return home() / "runs"


def create(settings: Settings, owner: str, save_data, **facts: Any) -> Run:
    """A new queued run. save_data(path) writes the rows; the run appears whole or not at all."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    path = folder() / f"{stamp}-{secrets.token_hex(8)}"
    making = path.with_name(f".making-{path.name}")
    making.mkdir(parents=True)
    try:
        save_data(making / "data")
        run = Run(making)
        told = {"id": path.name, "task": "text", "owner": owner, "created": time.time()}
        write_json(making / "config.json", {**told, "settings": vars(settings), **facts})
        run.set_status("queued")
        making.rename(path)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    return Run(path)


def find(run_id: str) -> Run:
    """The run of that id. Ids come from outside: anything else than an id finds nothing."""
    path = folder() / run_id
    if not _ID.fullmatch(run_id) or not (path / "status.json").exists():
        raise LabError("no_such_run", run=run_id[:60])
    return Run(path)


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
    return [run for run in runs if owner is None or run.owner == owner]


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace path in one step, so that a reader or a crash never meets half of it."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
