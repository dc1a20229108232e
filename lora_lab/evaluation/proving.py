"""What an adapter promises, measured on it: the base is untouched, merging changes nothing.

base ──attach, B = 0──► equal to the base, bit for bit? ──detach──► hash
  └───attach──► hash ──► unmerged answer ──┐
                                           ├─► largest logit difference, same tokens, ms a token
a second copy ──merge, float32──► merged ──┘
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from lora_lab.config import Settings, from_json
from lora_lab.errors import LabError
from lora_lab.evaluation import differing, loaded, timing
from lora_lab.evaluation.prompting import context
from lora_lab.lora import attaching, merging, peft_format, prefix
from lora_lab.lora.adapter import Adapter
from lora_lab.lora.routing import Routing
from lora_lab.models import loading, sources

STEPS = 48  # timed tokens of each way: enough for an interval a twentieth wide on a quiet machine
NAME = "proved"
WAYS = ("base", "unmerged", "merged")
Proof = dict[str, Any]


def prove(model: str, folder: Path) -> Iterator[dict[str, Any]]:
    """{"kind": "progress", …} on the way, then {"kind": "proof", …}; kept with the adapter.

    The proof: base_hash_before, base_hash_during, base_hash_after; step0_equal and
    step0_max_difference; merge_max_difference, merge_same_tokens of merge_tokens, the same of the
    merged model in bfloat16 (merge_bf16_…); ms_per_token and ms_interval by way; adapter_bytes and
    base_bytes. What cannot be merged has merge_refused, a LabError's JSON, instead of those.
    """
    yield {"kind": "progress", "phase": "loading"}
    adapter = peft_format.load(folder)
    base = loaded.base(sources.fetch(model), "cpu", "float32")
    yield {"kind": "progress", "phase": "proving"}
    proof: Proof = {"model": model, "base_hash_before": loading.base_hash(base.model)}
    try:
        proof |= _step_zero(base, adapter, _settings_of(peft_format.facts(folder)))
        routing = attaching.add(base.model, NAME, adapter)
        proof["base_hash_during"] = loading.base_hash(base.model)
        proof |= _merged(base, routing, adapter)
    finally:
        attaching.detach(base.model)
    proof["base_hash_after"] = loading.base_hash(base.model)
    proof |= {"adapter_bytes": weight_bytes(folder), "base_bytes": weight_bytes(base.local.folder)}
    peft_format.write_facts(folder, {**peft_format.facts(folder), "proof": proof})
    yield {"kind": "proof", **proof}


def _step_zero(base: loaded.Base, adapter: Adapter, made_with: Settings | None) -> Proof:
    """The adapter as its training started, beside the base alone."""
    ids = differing.prompt(base.model, base.tokenizer)
    alone = differing.answer(base.model, ids)
    routing = _attach_start(base.model, adapter, made_with)
    found = differing.difference(alone, base.model, routing, (NAME, 1.0))
    attaching.detach(base.model)
    return {"step0_equal": found.largest == 0, "step0_max_difference": found.largest}


def _attach_start(model: Any, adapter: Adapter, made_with: Settings | None) -> Routing:
    """Put the adapter on model as its training started: A drawn and B zero, where made_with knows
    of no other init; magnitudes and a prefix at their starts, where it has them."""
    start = made_with or Settings(rank=max(adapter.rank, 1), alpha=adapter.alpha or 1.0)
    before = None
    if adapter.prefix is not None:
        before = prefix.gaussian(model, len(adapter.prefix), start.seed)
    if (made_with is None and not adapter.magnitudes) or not adapter.tensors:
        zero = {path: (A, torch.zeros_like(B)) for path, (A, B) in adapter.tensors.items()}
        return attaching.add(model, NAME, replace(adapter, tensors=zero, prefix=before))
    routing = attaching.attach(
        model,
        NAME,
        adapter.targets,
        start.rank,
        start.alpha,
        seed=start.seed,
        rank_stabilised=adapter.rank_stabilised,
        init=start.init,
        with_magnitudes=bool(adapter.magnitudes),
    )
    if before is not None:
        prefix.put(model, NAME, before, routing)
    return routing


def _settings_of(facts: dict[str, Any]) -> Settings | None:
    """What the adapter was trained with; None where its files do not say."""
    told = facts.get("settings")
    try:
        return from_json(told) if isinstance(told, dict) else None
    except (LabError, TypeError):
        return None


def _merged(base: loaded.Base, routing: Routing | None, adapter: Adapter) -> Proof:
    """The merged copy beside the adapter on its base, in float32 and rounded to bfloat16."""
    ids = differing.prompt(base.model, base.tokenizer)
    unmerged = differing.answer(base.model, ids, routing, (NAME, 1.0))
    copy = loading.load(base.local, torch.float32)[0].to(base.model.device)
    ways = [timing.Way(base.model, routing, column) for column in (None, (NAME, 1.0))]
    try:
        merging.merge(copy, adapter)
    except LabError as error:
        return {"merge_refused": error.as_json(), **_times(ways, ids)}
    told = _told("merge", differing.difference(unmerged, copy))
    told |= _times([*ways, timing.Way(copy, None, None)], ids)
    merging.round_weights(copy, torch.bfloat16)
    return told | _told("merge_bf16", differing.difference(unmerged, copy))


def _told(name: str, found: differing.Difference) -> Proof:
    figures = {"max_difference": found.largest, "same_tokens": found.same_tokens}
    return {f"{name}_{key}": value for key, value in {**figures, "tokens": found.tokens}.items()}


def _times(ways: list[timing.Way], ids: list[int]) -> Proof:
    limit = context(ways[0].model)
    steps = STEPS if limit is None else min(STEPS, max(1, limit - len(ids) - timing.WARM_UP))
    named = dict(zip(WAYS, timing.taken(ways, ids, steps), strict=False))
    return {
        "ms_per_token": {way: median(times) for way, times in named.items()},
        "ms_interval": {way: timing.interval(times) for way, times in named.items()},
    }


def weight_bytes(folder: Path) -> int:
    """The size of the safetensors in folder."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))
