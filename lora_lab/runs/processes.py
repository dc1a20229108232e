"""How the lab's own processes are started: found from any folder, each with a log of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LOG_BYTES = 5_000_000  # a longer log is begun anew


@dataclass(frozen=True)
class Process:
    """A process and the two ends of it that this one holds: its standard input and output."""

    popen: subprocess.Popen[str]
    asks: IO[str]
    answers: IO[str]


def spawn(module: str, *arguments: str, log: Path, outlives: bool = False) -> Process:
    """Start `python -m module arguments`.

    log: where its standard error goes. outlives: it leads a session of its own, so that what ends
    this process (a Ctrl-C, say) does not end it too.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    mode = "w" if log.exists() and log.stat().st_size > LOG_BYTES else "a"
    # This process may stand in any folder: the new one must find the lab all the same.
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    # Threads that wait must sleep: on two cores a training and an answer would else spin for turns.
    calm = {"OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE")}
    with log.open(mode) as errors:
        popen = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            env={**os.environ, **calm, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            start_new_session=outlives,
        )
    assert popen.stdin and popen.stdout
    return Process(popen, popen.stdin, popen.stdout)
