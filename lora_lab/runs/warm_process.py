"""The warm process: `python -m lora_lab.runs.warm_process MODULE FUNCTIONS IMPORTS`.

It imports IMPORTS, which is slow, then runs the functions of MODULE that it is asked for, one call
after the other; none but FUNCTIONS can be asked for (both with commas between). How it speaks with
the page stands in warm.py.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import signal
import sys
import threading
import traceback
from typing import IO, Any

from lora_lab.errors import LabError
from lora_lab.runs.faults import as_lab_error
from lora_lab.runs.warm import log_file


class Server:
    """Runs what it is asked, one call after the other, and listens for cancellations meanwhile."""

    def __init__(self, asks: IO[str], answers: IO[str], module: str, functions: list[str]):
        self._asks, self._answers = asks, answers
        self._module, self._functions = module, functions
        self._calls: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._cancelled: set[int] = set()

    def serve(self, imports: list[str]) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        for name in filter(None, imports):
            importlib.import_module(name)
        while True:
            asked = self._calls.get()
            self._say(id=asked["id"], **self._run(asked))

    def _listen(self) -> None:
        for line in self._asks:
            asked = json.loads(line)
            if "cancel" in asked:
                self._cancelled.add(asked["cancel"])
            else:
                self._calls.put(asked)
        os._exit(0)  # the page is gone: whatever runs has nobody to run for

    def _run(self, asked: dict[str, Any]) -> dict[str, Any]:
        """How the call ended, every event of it told on the way."""
        try:
            if asked["call"] not in self._functions:
                raise PermissionError(asked["call"])
            function = getattr(importlib.import_module(self._module), asked["call"])
            events = function(**asked["with"])
            for event in events:
                if asked["id"] in self._cancelled:
                    events.close()
                    break
                self._say(id=asked["id"], event=event)
        except BaseException as fault:
            if not isinstance(fault, LabError):
                traceback.print_exception(fault)
            return {"error": as_lab_error(fault, log_file().name).as_json()}
        finally:
            self._cancelled.discard(asked["id"])
        return {"end": True}

    def _say(self, **message: Any) -> None:
        self._answers.write(json.dumps(message) + "\n")
        self._answers.flush()


def main() -> None:
    # A Ctrl-C meant for the page reaches this process too; it ends when the page has ended.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints goes to the log
    module, functions, imports = sys.argv[1:]
    Server(sys.stdin, answers, module, functions.split(",")).serve(imports.split(","))


if __name__ == "__main__":
    main()
