"""The learning rate a run takes where nobody chose one.

What suits depends on the model's width, on what is trained and, most of all, on its rank: on the
model in the box rank 1 wants several times the rate of rank 64. rates.json is the record of the
search that scripts/rank_table makes on that model: for a set of target matrices and a dataset, the
best rate found for each arm ("1" … "64" by rank, "full").
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

from lora_lab.config import Settings

RECORD = Path(__file__).with_name("rates.json")
LARGE = 2e-3  # LoRA on a model as wide as SmolLM2 (576)
FULL_OVER_LORA = 0.1  # full fine-tuning wants about a tenth of it
PREFIX_OVER_LORA = 15.0  # a prefix wants that many times LoRA's: 0.3 is best of five on the box's
SMALL = {"lora": 2e-2, "full": 2e-3, "prefix": 0.3}  # a width of 128


def settled(settings: Settings, small: bool) -> Settings:
    """With a learning rate. small: whether the model is (models.shapes.Shapes.small)."""
    return (
        settings
        if settings.learning_rate
        else replace(settings, learning_rate=rate(settings, small))
    )


def rate(settings: Settings, small: bool) -> float:
    """The rate that suits the method and the model."""
    kind = settings.method if settings.method in SMALL else "lora"
    if small:
        return SMALL[kind]
    return LARGE * {"lora": 1.0, "full": FULL_OVER_LORA, "prefix": PREFIX_OVER_LORA}[kind]


@cache
def recorded() -> dict[str, dict[str, dict[str, float]]]:
    """targets -> dataset -> arm -> the best rate found; empty before the first search."""
    return json.loads(RECORD.read_text("utf-8"))["best"] if RECORD.exists() else {}
