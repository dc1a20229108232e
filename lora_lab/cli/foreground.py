"""Work done in this process, its events told as they come: a run's training, or a use case."""

from __future__ import annotations

import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lora_lab.runs import queue, worker
from lora_lab.runs.folder import ALIVE, Run

LOOK_SECONDS = 0.2

Event = dict[str, Any]
Answer = dict[str, Any]  # what a verb gives, JSON-able
Tell = Callable[[Event], None]  # shows an event to whoever waits


def by_kind(events: Iterator[Event], tell: Tell) -> dict[str, list[Event]]:
    """A use case's events by their kind, each told as it comes."""
    came: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        tell(event)
        came[event["kind"]].append(event)
    return came


def last(events: Iterator[Event], tell: Tell) -> Answer:
    """What a use case's last event says; all are told as they come."""
    event: Event = {}
    for event in events:
        tell(event)
    return without_kind(event)


def without_kind(event: Event) -> Answer:
    """What an event tells, its kind apart."""
    return {name: value for name, value in event.items() if name != "kind"}


def follow(run: Run, tell: Tell) -> None:
    """Train run here until it ends, or wait for the worker that was faster in taking it. Where it
    let others go first, it goes on here when its turn comes, whether a server is there or not.

    Ctrl-C asks it to stop, with its adapter kept; a second one interrupts it at once. Either ends
    in KeyboardInterrupt.
    """
    ended = threading.Event()
    _, told_already = run.events()
    teller = threading.Thread(target=_tell, args=(run, tell, told_already, ended))
    with _asking_first(run) as interrupted:
        teller.start()
        try:
            worker.run_to_its_end(run)
            while run.status()["state"] in ALIVE:
                time.sleep(LOOK_SECONDS)
                if _its_turn(run):
                    worker.run_to_its_end(run)
        finally:
            ended.set()
            teller.join()
    if interrupted.is_set():
        raise KeyboardInterrupt


def _its_turn(run: Run) -> bool:
    now = queue.look()
    return not now.working and [ticket.run for ticket in now.waiting[:1]] == [run.id]


def _tell(run: Run, tell: Tell, offset: int, ended: threading.Event) -> None:
    over = False
    while not over:
        over = ended.wait(LOOK_SECONDS)
        events, offset = run.events(offset)
        for event in events:
            tell(event)


@contextmanager
def _asking_first(run: Run) -> Iterator[threading.Event]:
    """The first Ctrl-C asks the run to stop; the next is Python's own."""
    interrupted = threading.Event()

    def ask(*_: Any) -> None:
        signal.signal(signal.SIGINT, before)
        interrupted.set()
        run.ask_to_stop()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
