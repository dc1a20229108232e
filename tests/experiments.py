"""Experiments as lab.experiment tells them, from made-up figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lora_lab.config import Settings
from lora_lab.lab import experiments, standings

CHOICES: dict[str, dict[str, Any]] = {
    "race": {
        "datasets": ["pirate-stories", "x<b>"], "ranks": [1, 8], "others": ["full"], "seeds": 2,
    },
    "alpha": {"alphas": (2, 8, 64)},
    "grid": {"alphas": (4, 16), "rates": (0.001, 0.004)},
    "few": {"rows": (8, 0)},
    "init": {},
}  # fmt: skip


def told(
    kind: str,
    loss: Callable[[int], float | None] = lambda number: 3 - number * 0.01,
    *,
    ended: bool = True,
    **choices: Any,
) -> dict[str, Any]:
    """loss: of the n-th arm, None where it diverged. choices: of the builder, in place of those
    above."""
    settings = Settings()
    made = experiments.arms_of(kind, settings, CHOICES[kind] | choices)
    events = []
    for number, arm in enumerate(made):
        for step in (0, 10):
            figures = {"arm": number, "step": step, "loss": 5 - step / 10 - number / 100}
            events.append({"kind": "heldout", **figures})
        events.append({"kind": "begun", "arm": number, "loss": 5.0 + number})
        if ended:
            events.append(_end(number, arm, loss(number)))
    sets = dict.fromkeys(arm.settings(settings).data for arm in made)
    experiment = {
        "kind": kind,
        "rates": "own",
        "arms": [arm.as_json() for arm in made],
        "forecasts": [{"memory_bytes": 5e8, "seconds": 9}] * len(made),
        "datasets": [{"data": d, "name": d, "rows": 400, "fingerprint": "ab" * 32} for d in sets],
    }
    run = {
        "id": "a-run", "settings": vars(settings), "state": "done", "error": None,
        "forecast": {"seconds": 9.0}, "base_text_loss": 2.9, "preparing": None,
        "machine": {"device": "cpu", "precision": "float32", "threads": 1},
        "versions": {"torch": "9.9"}, "experiment": experiment,
    }  # fmt: skip
    return {**run, **standings.standings(run, events)}


def _end(number: int, arm: Any, loss: float | None) -> dict[str, Any]:
    if loss is None:
        return {"kind": "arm", "arm": number, "state": "failed", "error": {}, "seconds": 0.0}
    figures = {"heldout_loss": loss, "heldout_loss_before": 5.0, "seconds": 9.0}
    figures |= {"base_text_loss": 3.1, "trainable": 10 + number, "adapter_bytes": 99}
    figures |= {"learning_rate": arm.changes.get("learning_rate", 0.02)}
    figures |= {"update": {"model.layers.0.q": 0.1, "model.layers.1.q": 0.2}}
    return {"kind": "arm", "arm": number, "state": "done", **figures}
