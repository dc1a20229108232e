"""Takes the next run of the queue whenever the machine is free. A thread of the page's process."""

from __future__ import annotations

import logging
import threading
import time

import filelock

from lora_lab import config
from lora_lab.errors import LabError
from lora_lab.runs import folder, queue
from lora_lab.runs.executor import Executor, LocalExecutor

LOOK_SECONDS = 0.3
TURN_SECONDS = 300.0  # a run that goes on longer lets others go first, wherever it is

_log = logging.getLogger(__name__)


class Dispatcher:
    """Starts queued runs one at a time. Two servers on one home take turns by a lock.

    Nobody's long training keeps a class waiting: after TURN_SECONDS it stands in line again, and
    goes on from its checkpoint when its turn comes.
    """

    def __init__(self, executor: Executor | None = None):
        self._executor = executor or LocalExecutor()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()
        self._executor.close()

    def _keep_looking(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            try:
                with filelock.FileLock(config.home() / "dispatcher.lock", timeout=0):
                    self._look()
            except filelock.Timeout:
                continue  # another server is at it
            except Exception:
                _log.exception("The queue could not be looked at; the next look may succeed.")

    def _look(self) -> None:
        now = queue.look()
        if now.working:
            _share_out(now)
            return
        if not now.waiting:
            self._executor.prepare()
            return
        run = folder.find(now.waiting[0].run)
        # Where it is not waiting any more, somebody else was faster: a command line, or its owner.
        if not self._executor.start(run) and run.status()["state"] == "queued":
            run.set_status("failed", LabError("worker_died"))


def _share_out(now: queue.Queue) -> None:
    """Runs that have had a turn step aside for people who wait."""
    for run in now.working:
        owner, started = run.owner, run.config["started"]
        over = time.time() - started > TURN_SECONDS and not run.stop_asked()
        waited_for = any(ticket.owner != owner for ticket in now.waiting)
        if over and waited_for and _moved_on(run, started):
            run.ask_to_stop(for_now=True)


def _moved_on(run: folder.Run, since: float) -> bool:
    """Whether it has come further in this turn: a slow start must not be all that a turn holds."""
    trained = (event for event in run.events()[0] if event["kind"] in ("train", "round"))
    return any(event["time"] > since for event in trained)
