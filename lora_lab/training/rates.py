"""The learning rate a run takes where nobody chose one.

What suits depends on the model's width, on what is trained and, most of all, on its rank: on the
model in the box rank 1 wants ten times the rate of rank 64. rates.json is the record of the search
that scripts/rank_table makes on that model: for a choice of target matrices and a dataset, the best
rate found for each arm ("1" … "64" by rank, "full"). A small model takes what did best at the
nearest rank; a wide one has bounds of its own.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import median_low

from lora_lab.config import Settings

RECORD = Path(__file__).with_name("rates.json")
PREFIX = 0.3  # best of five on the model in the box
PREFIX_OVER_LORA = 15.0  # what that is beside LoRA's own rate there
# On a model as wide as SmolLM2 (576). Full fine-tuning wants about a tenth of LoRA's.
WIDE = {"lora": 2e-3, "full": 2e-4, "prefix": 2e-3 * PREFIX_OVER_LORA}


def settled(settings: Settings, small: bool) -> Settings:
    """With a learning rate. small: whether the model is (models.shapes.Shapes.small)."""
    chosen = settings.learning_rate or rate(settings, small)
    return replace(settings, learning_rate=chosen)


def rate(settings: Settings, small: bool) -> float:
    """The rate that suits the method, its rank and the model."""
    kind = settings.method if settings.method in WIDE else "lora"
    if not small:
        return WIDE[kind]
    if kind == "prefix":
        return PREFIX
    return median_low(_found(settings.targets, "full" if kind == "full" else _arm(settings.rank)))


@cache
def recorded() -> dict[str, dict[str, dict[str, float]]]:
    """targets -> dataset -> arm -> the best rate found."""
    return json.loads(RECORD.read_text("utf-8"))["best"]


def _found(targets: str, arm: str) -> list[float]:
    """What did best for the arm, on each dataset; for targets that nobody searched, as for any."""
    known = recorded()
    searched = [known[targets]] if targets in known else list(known.values())
    return [arms[arm] for datasets in searched for arms in datasets.values()]


def _arm(rank: int) -> str:
    """The recorded rank nearest to rank, by their ratio."""
    ranks = {arm for datasets in recorded().values() for arms in datasets.values() for arm in arms}
    return min(ranks - {"full"}, key=lambda arm: (abs(math.log(int(arm) / rank)), int(arm)))
