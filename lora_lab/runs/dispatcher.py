"""Takes the next run of the queue whenever the machine is free. A thread of the page's process."""

from __future__ import annotations

import logging
import threading

import filelock

from lora_lab import config
from lora_lab.errors import LabError
from lora_lab.runs import folder, queue
from lora_lab.runs.executor import Executor, LocalExecutor

LOOK_SECONDS = 0.3

_log = logging.getLogger(__name__)


class Dispatcher:
    """Starts queued runs one at a time. Two servers on one home take turns by a lock."""

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
            return
        if not now.waiting:
            self._executor.prepare()
            return
        run = folder.find(now.waiting[0].run)
        # Where it is not waiting any more, somebody else was faster: a command line, or its owner.
        if not self._executor.start(run) and run.status()["state"] == "queued":
            run.set_status("failed", LabError("worker_died"))
