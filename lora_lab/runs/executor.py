"""Where a run's worker is started. Today: as a process on this machine, one kept warm."""

from __future__ import annotations

import contextlib
from typing import Protocol

from lora_lab.config import home
from lora_lab.runs.folder import Run
from lora_lab.runs.processes import Process, spawn


class Executor(Protocol):
    """Starts the worker command on a run folder, wherever that may be."""

    def start(self, run: Run) -> bool:
        """Start run's worker and wait until it holds the run; False when it died before."""

    def prepare(self) -> None:
        """Called while the machine is idle: get ready so that the next start is quick."""

    def close(self) -> None:
        """Let go of what waits idly; runs at work go on."""


class LocalExecutor:
    """Processes on this machine. While nothing trains, one waits with everything imported."""

    def __init__(self) -> None:
        self._warm: Process | None = None

    def prepare(self) -> None:
        if self._warm is None or self._warm.popen.poll() is not None:
            self._warm = _spawn()

    def start(self, run: Run) -> bool:
        self.prepare()
        worker, self._warm = self._warm, None
        assert worker
        with contextlib.suppress(BrokenPipeError), worker.asks:
            worker.asks.write(f"{run.path}\n")
        with worker.answers:
            return worker.answers.readline() == "taken\n"

    def close(self) -> None:
        if self._warm:
            self._warm.popen.communicate()  # no run is named, so it ends


def _spawn() -> Process:
    return spawn("lora_lab.runs.worker", log=home() / "workers.log", outlives=True)
