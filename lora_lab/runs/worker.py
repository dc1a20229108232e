"""The process that trains one run: `python -m lora_lab.runs.worker RUN_FOLDER`.

Without a folder it first imports what is slow to import, then waits for one line on its standard
input with the folder's path: so the page keeps one of these ready and a run starts at once. It
answers "taken" on its standard output when it holds the run's lock. It leads a process group of
its own and lives on when the page goes; idle, it ends when the page does.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import filelock

from lora_lab.errors import LabError
from lora_lab.runs.faults import as_lab_error
from lora_lab.runs.folder import Run

# What knows how to do a run of each kind: a module with work(run) -> "done" or "stopped".
TASKS = {"text": "lora_lab.runs.work", "race": "lora_lab.runs.racing"}
LOCK_SECONDS = 5.0  # a reader holds the lock for a moment when it looks whether a worker lives


def run_to_its_end(run: Run, taken: Callable[[], None] = lambda: None) -> None:
    """Train run, whatever happens; how it ended stands in its folder.

    taken is called once the run's lock is held. A run that another worker holds is left alone.
    """
    try:
        lock = run.lock().acquire(timeout=LOCK_SECONDS)
    except filelock.Timeout:
        return
    with lock:
        if run.status()["state"] == "done":
            return
        run.begin_turn()
        taken()
        # Disk kept back, so that a full disk still has room for the words that say so.
        reserve = run.path / "reserve"
        try:
            reserve.write_bytes(bytes(64 * 1024))
            task = import_module(TASKS[run.config["task"]])  # torch and transformers come with it
            state, error = task.work(run), None
            if state == "stopped" and not run.stop_asked(for_good=True):
                state = "queued"
        except BaseException as fault:
            reserve.unlink(missing_ok=True)
            state, error = "failed", _written_down(run, fault)
            if isinstance(fault, KeyboardInterrupt):
                state, error = "stopped", None
        reserve.unlink(missing_ok=True)
        run.append("end", state=state, error=error.as_json() if error else None)
        run.set_status(state, error)


def _written_down(run: Run, fault: BaseException) -> LabError:
    traceback.clear_frames(fault.__traceback__)  # what they hold may be all the memory there is
    with run.log.open("a", encoding="utf-8") as log:
        traceback.print_exception(fault, file=log)
    return as_lab_error(fault, run.log.name)


def _wait_for_a_folder() -> Run | None:
    import lora_lab.runs.work  # noqa: F401  (so that the run need not wait for it)
    from lora_lab.training import speed

    speed.measure()
    line = sys.stdin.readline().strip()
    return Run(Path(line)) if line else None


def main() -> None:
    if len(sys.argv) > 1:
        run_to_its_end(Run(Path(sys.argv[1])))
    elif run := _wait_for_a_folder():
        run_to_its_end(run, _answerer(run))


def _answerer(run: Run) -> Callable[[], None]:
    """What answers "taken", once. All other words go to the run's own log from here on: whoever
    started this process may be gone before it ends."""
    answer = os.fdopen(os.dup(1), "w")
    with run.log.open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)

    def taken() -> None:
        answer.write("taken\n")
        answer.close()

    return taken


if __name__ == "__main__":
    main()
