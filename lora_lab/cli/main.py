"""The command line: `python -m lora_lab VERB …`.

With --json, stdout is one JSON object on one line and nothing else. Everything said on the way, by
the lab or by a library, goes to stderr. Exit codes: 0; 1 for a problem that is explained on stderr;
2 for flags that make no sense; 130 for Ctrl-C.
"""

from __future__ import annotations

import json
import locale
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from itertools import zip_longest
from typing import IO

from lora_lab import config, words
from lora_lab.cli import flags, telling
from lora_lab.cli.progress import Progress
from lora_lab.cli.verbs import VERBS
from lora_lab.errors import LabError
from lora_lab.runs.faults import as_lab_error

INTERRUPTED = 130  # what a shell makes of Ctrl-C

Serve = Callable[[str, int], None]


def main(arguments: list[str], serve: Serve) -> int:
    """Do what arguments say and return the exit code. serve(host, port) runs the page."""
    language = _language(arguments)
    try:
        told = flags.parser(language).parse_args(arguments)
        told.lang = language
        if told.verb == "serve":
            serve(told.host, told.port)
            return 0
        with _stdout_kept() as stdout:
            answer = VERBS[told.verb](told, Progress(language))
        stdout.write(
            json.dumps(answer) if told.json else telling.sentences(told.verb, answer, language)
        )
        stdout.write("\n")
        stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return 1  # whoever read the answer has gone
    except Exception as fault:
        print(_explained(fault, language), file=sys.stderr)
        return 1
    return 0


def _explained(fault: Exception, language: str) -> str:
    """A LabError's words; anything else is written down whole in a log, which they name."""
    if isinstance(fault, LabError):
        return fault.text(language)
    log = config.home() / "command-line.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        traceback.print_exception(fault, file=file)
    return as_lab_error(fault, str(log)).text(language)


@contextmanager
def _stdout_kept() -> Iterator[IO[str]]:
    """Stdout for the answer alone: whatever is printed meanwhile, from C too, goes to stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield os.fdopen(os.dup(kept), "w", encoding="utf-8")
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _language(arguments: list[str]) -> str:
    """--lang, else $LORA_LAB_LANG, else the machine's; known before anything is parsed, since the
    parser itself speaks it."""
    for flag, value in zip_longest(arguments, arguments[1:], fillvalue=""):
        name, _, joined = flag.partition("=")
        if name == "--lang" and (joined or value) in words.LANGUAGES:
            return joined or value
    told = os.environ.get("LORA_LAB_LANG") or _of_the_machine()
    return words.best_language(told.replace("_", "-").partition(".")[0])


def _of_the_machine() -> str:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return os.environ[name]
    return locale.getlocale()[0] or ""
