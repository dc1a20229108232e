"""Room on the disk, asked for before something is made that stays.

A part of the disk stays free, so that runs at work can write their checkpoints. And where others
keep things here too, nobody comes to keep more than half of what there is for them and the rest: so
a disk that a class shares never fills, whoever is first.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

from lora_lab.config import home
from lora_lab.errors import LabError
from lora_lab.runs import folder as runs
from lora_lab.shelf import entry

SPARE = 200_000_000  # bytes


def check(owner: str, need: int) -> None:
    """Raises LabError where there is no room for `need` more bytes of this person's: "no_room" on
    the disk, or "share_used_up" beside the others'. Before it does, what they have deleted goes
    for good."""
    refusal = _refusal(owner, need)
    if refusal and _empty_bin(owner):
        refusal = _refusal(owner, need)
    if refusal:
        raise refusal


def size(folder: Path) -> int:
    """Bytes of all files in folder, of those that are not just being deleted."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(place) / name).lstat().st_size
    return total


def _refusal(owner: str, need: int) -> LabError | None:
    home().mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home()).free
    mine, shelved = runs.all_runs(owner), entry.every(owner)
    folders = [run.path for run in mine] + [each.path for each in shelved]
    kept = sum(map(size, folders))
    told = {"need": need, "free": max(0, free - SPARE), "kept": kept}
    facts: dict[str, Any] = {name: {"bytes": value} for name, value in told.items()}
    if need > told["free"]:
        return LabError("no_room", **facts)
    others = len(runs.all_runs()) > len(mine) or len(entry.every()) > len(shelved)
    if others and kept + need > (kept + free) / 2:
        return LabError("share_used_up", **facts)
    return None


def _empty_bin(owner: str) -> bool:
    """Whether something went."""
    return any(list(runs.still_there(entry.every(owner), lambda each: each.let_go())))
