"""An adapter merged into a whole model's folder, measured beside the adapter before it is kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from lora_lab.config import PRECISIONS, choice
from lora_lab.evaluation import differing
from lora_lab.evaluation.proving import weight_bytes
from lora_lab.lora import attaching, merging, peft_format
from lora_lab.models import loading, sources

NAME = "merged"


def save(
    model: str, folder: Path, out: Path, precision: str = "float32"
) -> Iterator[dict[str, Any]]:
    """Merge the adapter of folder into a fresh copy of the model and write it to out, as
    transformers loads it; in bfloat16 it is merged in float32 and rounded then.

    {"kind": "progress", …} on the way, then {"kind": "merged", "folder", "precision", "bytes",
    "max_difference", "same_tokens", "tokens": beside the adapter unmerged, in float32}. Raises
    LabError as merging.merge and loading.load do; then out is not there.
    """
    choice({"say": "setting.precision.label"}, precision, PRECISIONS)
    yield {"kind": "progress", "phase": "loading"}
    adapter = peft_format.load(folder)
    local = sources.fetch(model)
    base, tokenizer = loading.load(local, torch.float32)
    yield {"kind": "progress", "phase": "merging"}
    ids = differing.prompt(base, tokenizer)
    routing = attaching.add(base, NAME, adapter)
    unmerged = differing.answer(base, ids, routing, (NAME, 1.0))
    attaching.detach(base)
    merging.merge(base, adapter)
    merging.round_weights(base, getattr(torch, precision))
    found = asdict(differing.difference(unmerged, base))
    told = {"precision": precision, "max_difference": found.pop("largest"), **found}
    _write(base, tokenizer, out, {**peft_format.facts(folder), "merged": told})
    yield {"kind": "merged", "folder": str(out.absolute()), "bytes": weight_bytes(out), **told}


def _write(model: Any, tokenizer: Any, out: Path, facts: dict[str, Any]) -> None:
    """Whole or not at all; a model that was merged into out before is replaced."""
    making = out.with_name(f".making-{out.name}")
    shutil.rmtree(making, ignore_errors=True)
    try:
        model.save_pretrained(making)
        tokenizer.save_pretrained(making)
        peft_format.write_facts(making, facts)
        shutil.rmtree(out, ignore_errors=True)
        making.rename(out)
    finally:
        shutil.rmtree(making, ignore_errors=True)
