"""Before training: what it will cost, whether the data is sound, what the model will see."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lora_lab.config import HELDOUT_ROWS, Settings, from_json
from lora_lab.data import shaping, tokenising
from lora_lab.lab.data import dataset_of, table_of
from lora_lab.lora import targets
from lora_lab.models import catalogue, shapes, sources
from lora_lab.training import counting, speed
from lora_lab.training import forecast as forecasting

# A trained number in a checkpoint: itself, the best so far and AdamW's two means, in float32; and
# a new checkpoint is written before the last one goes.
CHECKPOINT_BYTES = 2 * 4 * 4


def count(settings: Settings) -> dict[str, Any]:
    """Arithmetic on the model's shapes: {"model", "method", "trainable", "total", "percent",
    "adapter_bytes" (of full fine-tuning, the model's), "layers", "matrices": how many are adapted,
    "matrix": the first of them, "path" and sizes (None where none is)}."""
    known = shapes.shapes(settings.model)
    found = counting.count(known, settings)
    first = None
    if found.adapted:
        inputs, outputs = known.sizes()[found.adapted[0]]
        first = {"path": found.adapted[0], "in_features": inputs, "out_features": outputs}
    return {
        "model": settings.model,
        "method": settings.method,
        "trainable": found.trainable,
        "total": known.total,
        "percent": 100 * found.trainable / known.total,
        "adapter_bytes": found.file_bytes,
        "layers": known.layers,
        "matrices": len(found.adapted),
        "matrix": first,
    }


def matrices(model: str) -> list[dict[str, Any]]:
    """What of a model can be named as a target: {"name", "count", "in_features", "out_features"}.
    Raises LabError("shapes_unknown")."""
    known = shapes.shapes(model)
    sizes = known.sizes()
    return [
        {
            "name": name,
            "count": len(paths),
            "in_features": sizes[paths[0]][0],
            "out_features": sizes[paths[0]][1],
        }
        for name, paths in targets.kinds(sizes, known.tied).items()
    ]


def forecast(settings: Settings, reading: dict[str, Any] | None = None) -> dict[str, Any]:
    """{"memory_bytes", "seconds", "seconds_a_step", "checkpoint_bytes": the most that it writes to
    go on from, "disk_bytes": that and its result}, before anything is loaded.

    reading: "mean_tokens", "supervised_share" and "heldout_rows", as preview tells them; without
    it, rows are taken to be half of the longest allowed.
    """
    told = {"mean_tokens": settings.max_length / 2} | (reading or {})
    known = forecasting.Reading(
        mean_tokens=_within(told["mean_tokens"], 1, settings.max_length),
        supervised_share=_within(told.get("supervised_share", 1.0), 0, 1),
        heldout_rows=round(_within(told.get("heldout_rows", HELDOUT_ROWS), 1, HELDOUT_ROWS)),
    )
    model = shapes.shapes(settings.model)
    expected = forecasting.forecast(model, settings, known, speed.known())
    counted = counting.count(model, settings)
    checkpoints = CHECKPOINT_BYTES * counted.trainable
    written = {"checkpoint_bytes": checkpoints, "disk_bytes": checkpoints + counted.file_bytes}
    return {**expected, **written}


def download_bytes(model: str) -> int:
    """About what is still to come of a model that is not on this machine."""
    if sources.is_here(model):
        return 0
    known = catalogue.find(model)
    return known.size_bytes if known else 2 * shapes.shapes(model).total


def _within(told: Any, low: float, high: float) -> float:
    """A page tells what it likes: a number between low and high, or high."""
    usable = isinstance(told, (int, float)) and math.isfinite(told)
    return min(max(float(told), low), high) if usable else high


def check(settings: Settings, path: Path | None = None, name: str | None = None) -> dict[str, Any]:
    """Read and shape the data without any model; every fault in it is a LabError. Its
    Dataset.facts, "delimiter" and "all_columns" of the file.

    path, name: an uploaded file and what the person calls it; without, settings.data is meant.
    """
    table = table_of(settings, path, name)
    dataset = shaping.shape(table, settings)
    tokenising.split(dataset, settings.heldout_share, settings.seed)  # what is too short is told
    return {**dataset.facts, "delimiter": table.delimiter, "all_columns": table.columns}


def preview(
    settings: dict[str, Any], path: str | None = None, name: str | None = None
) -> Iterator[dict[str, Any]]:
    """Heavy. What the model will see, token by token: one {"kind": "preview", …}.

    A model that is not on this machine gives {"kind": "not_here", "size_bytes"} instead.
    """
    from lora_lab.data import previewing
    from lora_lab.models import loading

    chosen = from_json(settings)
    dataset = dataset_of(chosen, Path(path) if path else None, name)
    if not sources.is_here(chosen.model):
        model = catalogue.find(chosen.model)
        yield {"kind": "not_here", "size_bytes": model.size_bytes if model else None}
        return
    tokenizer = loading.tokenizer(sources.fetch(chosen.model))
    told = previewing.preview(dataset, tokenizer, chosen)
    yield {"kind": "preview", **told}
