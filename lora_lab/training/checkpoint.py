"""Checkpoints that a power cut cannot spoil.

A checkpoint is a new folder `step-<n>/`, written whole and flushed to the disk, and then a
one-line file `latest` that names it, replaced in one step. Whatever moment the process dies at,
`latest` names a whole checkpoint or is not there.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor


@dataclass
class Progress:
    """How far a run has come; all that the loop carries from one step to the next but tensors."""

    step: int = 0  # updates done
    seconds: float = 0.0  # since the start, over all sittings
    stepping: float = 0.0  # of these, in the steps themselves: the rest measures and samples
    tokens: int = 0  # real tokens seen, padding not counted
    events_size: int = 0  # bytes of events.jsonl that are true at this step
    best_loss: float | None = None  # lowest held-out loss so far, nats a token
    best_step: int = 0
    worse: int = 0  # measurements of the held-out loss since the best


@dataclass
class Checkpoint:
    """Progress with the tensors that belong to it.

    adapter, best: the trained tensors by name, now and at the lowest held-out loss.
    moments: AdamW's two running means, by the same names, under "exp_avg" and "exp_avg_sq".
    random: torch's generator states by device.
    """

    progress: Progress
    adapter: dict[str, Tensor]
    best: dict[str, Tensor] = field(default_factory=dict)
    moments: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    random: dict[str, Tensor] = field(default_factory=dict)


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Write it beside the last one, point to it, then let the last one go."""
    name = f"step-{checkpoint.progress.step:06d}"
    new = folder / name
    shutil.rmtree(new, ignore_errors=True)  # left by a worker that died while writing it
    new.mkdir(parents=True)
    groups = {"adapter": checkpoint.adapter, "best": checkpoint.best, "random": checkpoint.random}
    for moment, tensors in checkpoint.moments.items():
        groups[moment] = tensors
    for group, tensors in groups.items():
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, new / group)
        _flush(new / group)
    with (new / "progress.json").open("w") as file:
        json.dump(asdict(checkpoint.progress), file)
        file.flush()
        os.fsync(file.fileno())
    _flush(new)
    _point(folder, name)
    for old in folder.glob("step-*"):
        if old.name != name:
            shutil.rmtree(old)


def load(folder: Path) -> Checkpoint | None:
    """The latest whole checkpoint, its tensors on the CPU; None when there is none yet."""
    pointer = folder / "latest"
    if not pointer.exists():
        return None
    at = folder / pointer.read_text().strip()
    groups = {name: load_file(at / name) for name in ("adapter", "best", "random")}
    moments = {name: load_file(at / name) for name in ("exp_avg", "exp_avg_sq")}
    progress = Progress(**json.loads((at / "progress.json").read_text()))
    return Checkpoint(progress, moments=moments, **groups)


def _point(folder: Path, name: str) -> None:
    part = folder / "latest.part"
    part.write_text(name)
    _flush(part)
    part.replace(folder / "latest")
    _flush(folder)


def _flush(path: Path) -> None:
    """Have the system put path on the disk now (a folder: its list of names)."""
    if os.name == "nt" and path.is_dir():
        return  # Windows keeps a folder's list itself
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
