"""What happens on the way, told on stderr while a verb works."""

from __future__ import annotations

import sys
import time

from lora_lab.cli import ladder
from lora_lab.cli.foreground import Event
from lora_lab.words import byte_size, duration, number, say

EVERY_SECONDS = 2.0  # how often a line of progress is written at most


class Progress:
    """Writes events to stderr, a line each; of the frequent ones, one every few seconds."""

    def __init__(self, language: str):
        self._language = language
        self._last = ("", 0.0)

    def __call__(self, event: Event) -> None:
        line = _LINES.get(event["kind"], _nothing)(event, self._language)
        if line and not self._too_soon(event):
            print(line, file=sys.stderr, flush=True)

    def _too_soon(self, event: Event) -> bool:
        kind = event["kind"] + event.get("phase", "")
        if kind == self._last[0] and time.monotonic() - self._last[1] < EVERY_SECONDS:
            return True
        self._last = (kind, time.monotonic())
        return False


def _progress(event: Event, language: str) -> str:
    line = say(f"cli.phase.{event['phase']}", language)
    if event.get("total"):
        counted = number if event["phase"] == "cutting" else byte_size  # matrices; else bytes
        done, total = (counted(event[name], language) for name in ("done", "total"))
        line += " " + say("cli.bytes", language, done=done, total=total)
    if event.get("seconds_left") is not None:
        line += " " + _left(event, language)
    return line


def _train(event: Event, language: str) -> str:
    line = say(
        "cli.step",
        language,
        step=event["step"],
        loss=number(event["loss"], language, 3),
        speed=number(round(event["tokens_per_second"]), language),
    )
    return f"{line} {_left(event, language)}"


def _left(event: Event, language: str) -> str:
    return say("cli.left", language, time=duration(event["seconds_left"], language))


def _heldout(event: Event, language: str) -> str:
    loss = number(event["loss"], language, 3)
    return say("cli.heldout", language, step=event["step"], loss=loss)


def _sample(event: Event, language: str) -> str:
    return say("cli.sample", language, step=event["step"], text=" ".join(event["text"].split()))


def _warning(event: Event, language: str) -> str:
    return say(event["key"], language, **event["facts"])


def _round(event: Event, language: str) -> str:
    return f"{ladder.round_(event, language)} {_left(event, language)}"


def _nothing(event: Event, language: str) -> str:
    return ""


_LINES = {
    "progress": _progress,
    "train": _train,
    "heldout": _heldout,
    "sample": _sample,
    "warning": _warning,
    "round": _round,
    "arm": ladder.told,
    "search": ladder.told,
}
