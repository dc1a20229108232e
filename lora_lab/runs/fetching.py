"""A download told as it goes: the callback of models.sources made into an iterator."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

from lora_lab.models import sources


class _NobodyListensError(Exception):
    """Ends the download; the next one goes on from there."""


def fetched(model: str) -> Iterator[sources.Progress]:
    """Have the model here, telling how far it has come; raises what sources.fetch raises."""
    told: queue.SimpleQueue[sources.Progress | BaseException | None] = queue.SimpleQueue()
    closed = threading.Event()

    def report(progress: sources.Progress) -> None:
        if closed.is_set():
            raise _NobodyListensError
        told.put(progress)

    def work() -> None:
        try:
            sources.fetch(model, report)
            told.put(None)
        except BaseException as fault:  # raised again where the caller waits
            told.put(fault)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        while (news := told.get()) is not None:
            if isinstance(news, BaseException):
                raise news
            yield news
    finally:
        closed.set()
