"""Whose turn it is. People take turns, not runs: somebody who queues ten waits for each neighbour.

All of it is derived from the run folders, so a restarted server knows the same queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lora_lab.runs import folder


@dataclass(frozen=True)
class Ticket:
    """A run that waits. queued and the values of last_turn below are seconds since the epoch."""

    run: str
    owner: str
    queued: float


def order(waiting: list[Ticket], last_turn: Mapping[str, float]) -> list[Ticket]:
    """The tickets in the order in which they will run.

    Each turn goes to the person whose last turn lies longest ago (never had one: first), and
    among equals to the oldest ticket; a person's own tickets run in the order they came.
    """
    left = sorted(waiting, key=lambda ticket: (ticket.queued, ticket.run))
    turns = dict(last_turn)
    now = max(turns.values(), default=0.0)
    ordered = []
    while left:
        # min takes the first of equals, and left is sorted by age.
        following = min(left, key=lambda ticket: turns.get(ticket.owner, float("-inf")))
        now += 1
        turns[following.owner] = now
        left.remove(following)
        ordered.append(following)
    return ordered


@dataclass(frozen=True)
class Queue:
    """How things stand now: the runs at work and those that wait, next first."""

    working: list[folder.Run]
    waiting: list[Ticket]


class Seen(NamedTuple):
    """What the queue looks at of a run: its state and since when, whose it is, when it began."""

    run: folder.Run
    state: str
    since: float
    owner: str
    started: float


# Nothing changes what is seen of a run that is done; a server that looks three times a second has
# hundreds of them.
_done: dict[Path, Seen] = {}


def look() -> Queue:
    """The queue as the folders tell it."""
    working, waiting, last_turn = [], [], dict[str, float]()
    for seen in folder.still_there(folder.all_runs(), _seen):
        if seen.state == "queued":
            waiting.append(Ticket(seen.run.id, seen.owner, seen.since))
        # One that waits may have had a turn: it let others go first, or was resumed.
        last_turn[seen.owner] = max(seen.started, last_turn.get(seen.owner, 0.0))
        if seen.state == "running":
            working.append(seen.run)
    return Queue(working, order(waiting, last_turn))


def _seen(run: folder.Run) -> Seen:
    if run.path not in _done:
        status, told = run.status(), run.config
        started = told.get("started", 0.0)
        seen = Seen(run, status["state"], status["since"], told["owner"], started)
        if seen.state != "done":
            return seen
        _done[run.path] = seen
    return _done[run.path]
