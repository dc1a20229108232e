"""One process kept warm for what must answer at once: everything imported, the last model loaded.

    the page, here                                   the process, warm_process.py
      call("compare", …) ──► {"id": 4, "call": "compare", "with": {…}} ──►  for event in compare(…)
                         ◄── {"id": 4, "event": {…}} ◄────────────────────      one line each
      close()            ──► {"cancel": 4} ─────────────────────────────►   the generator is closed
                         ◄── {"id": 4, "end": true} ◄───────────────────    or "error": a LabError

One request at a time; the others wait in line. The process ends with the page, however the page
ends: its standard input closes. If the process dies, who waited is told and the next request starts
another.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import queue
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lora_lab import config
from lora_lab.errors import LabError
from lora_lab.runs.processes import Process, spawn

IMPORTS = ("lora_lab.evaluation.comparing", "transformers.models.llama.modeling_llama")
WAIT_SECONDS = 1.0  # so long, times their place, nothing is said to somebody who waits in line
CANCEL_SECONDS = 30.0  # a request that goes on so long after its cancellation hangs: kill it


class Warm:
    """The page's side: calls functions of module by name in the warm process.

    module: imported by the process; functions: the generator functions of it that may be called,
    which take keyword arguments and yield dicts, all JSON-able; imports: slow modules that the
    process imports before the first call comes.
    """

    def __init__(self, module: str, functions: tuple[str, ...], imports: tuple[str, ...] = IMPORTS):
        told = (module, ",".join(functions), ",".join(imports))
        self._command = ("lora_lab.runs.warm_process", *told)
        self._changed = threading.Condition()
        self._line: deque[_Request] = deque()  # the first is at work
        self._numbers = itertools.count(1)
        self._process: Process | None = None

    def start(self) -> None:
        """Have the process ready before it is needed; returns at once."""
        with self._changed:
            self._alive()

    def call(self, function: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """What the function yields. While others are before: {"kind": "waiting", "place": n}.

        It is said again and again, and a "progress" of the function's is too: so a page whose
        reader has left is noticed. Closing the iterator cancels. Raises the LabError that the
        function raised, "unexpected" for any other exception, "warm_died" where the process died.
        """
        request = _Request(next(self._numbers), function, arguments)
        with self._changed:
            self._line.append(request)
        try:
            yield from self._wait(request)
            yield from request.events()
        finally:
            self._leave(request)

    def close(self) -> None:
        """End the process; who was being served is told that it ended."""
        with self._changed:
            process = self._process
        if process:
            process.asks.close()
            process.popen.wait()

    def _wait(self, request: _Request) -> Iterator[dict[str, Any]]:
        while True:
            with self._changed:
                place = self._line.index(request)
                if place == 0:
                    self._send({"id": request.number, **request.asked})
                    request.sent = True
                    return
            yield {"kind": "waiting", "place": place}
            with self._changed:
                # Who stands far behind is told more rarely: to tell a whole class every second
                # would take more of the machine than it waits for.
                turn = functools.partial(self._first, request)
                self._changed.wait_for(turn, WAIT_SECONDS * place)

    def _first(self, request: _Request) -> bool:
        return self._line[0] is request

    def _leave(self, request: _Request) -> None:
        """Out of the line at once where it only waited; else when the process has let go of it."""
        with self._changed:
            if request not in self._line:
                return
            if not request.sent:
                self._remove(request)
                return
            process = self._send({"cancel": request.number})
            request.deadline = threading.Timer(CANCEL_SECONDS, process.popen.kill)
            request.deadline.daemon = True
            request.deadline.start()

    def _remove(self, request: _Request) -> None:
        self._line.remove(request)
        if request.deadline:
            request.deadline.cancel()
        self._changed.notify_all()

    def _send(self, message: dict[str, Any]) -> Process:
        process = self._alive()
        try:
            process.asks.write(json.dumps(message) + "\n")
            process.asks.flush()
        except (OSError, ValueError):
            pass  # it has just died or been closed: its reader tells whoever is being served
        return process

    def _alive(self) -> Process:
        if self._process is None:
            self._process = spawn(*self._command, log=log_file())
            threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        return self._process

    def _read(self, process: Process) -> None:
        """Hand every line of the process to the request it belongs to, until the process ends."""
        for line in process.answers:
            self._hand_over(json.loads(line))
        process.popen.wait()
        with self._changed:
            self._process = None
            if self._line and self._line[0].sent:
                error = LabError("warm_died", log=log_file().name)
                self._finish(self._line[0], {"error": error.as_json()})
        with contextlib.suppress(OSError):
            process.asks.close()
        process.answers.close()

    def _hand_over(self, message: dict[str, Any]) -> None:
        with self._changed:
            if "event" in message:
                self._line[0].answers.put(message)
            else:
                self._finish(self._line[0], message)

    def _finish(self, request: _Request, message: dict[str, Any]) -> None:
        request.answers.put(message)
        self._remove(request)


class _Request:
    """One call: where it is in its life, and what the process has answered so far."""

    def __init__(self, number: int, function: str, arguments: dict[str, Any]):
        self.number = number
        self.asked = {"call": function, "with": arguments}
        self.answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.sent = False
        self.deadline: threading.Timer | None = None

    def events(self) -> Iterator[dict[str, Any]]:
        event: dict[str, Any] = {}
        while True:
            try:
                seconds = WAIT_SECONDS if event.get("kind") == "progress" else None
                answer = self.answers.get(timeout=seconds)
            except queue.Empty:
                yield event
                continue
            if "error" in answer:
                raise LabError.from_json(answer["error"])
            if "event" not in answer:
                return
            event = answer["event"]
            yield event


def log_file() -> Path:
    return config.home() / "warm.log"
