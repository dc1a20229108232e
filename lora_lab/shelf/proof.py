"""A proof (evaluation/proving.py) in sentences."""

from __future__ import annotations

from typing import Any

from lora_lab.errors import LabError
from lora_lab.words import byte_size, number, say

MANY = 10  # adapters, to set beside as many whole models


def lines(proof: dict[str, Any], language: str) -> list[str]:
    """What was proved, a sentence each."""
    return [
        _hashes(proof, language),
        _start(proof, language),
        *_merge(proof, language),
        _times(proof, language),
        _sizes(proof, language),
    ]


def _hashes(proof: dict[str, Any], language: str) -> str:
    same = len({proof[f"base_hash_{when}"] for when in ("before", "during", "after")}) == 1
    short = proof["base_hash_before"][:12]
    return say(f"proof.hash.{'same' if same else 'changed'}", language, hash=short)


def _start(proof: dict[str, Any], language: str) -> str:
    if proof["step0_equal"]:
        return say("proof.step0.equal", language)
    difference = number(proof["step0_max_difference"], language)
    return say("proof.step0.differs", language, difference=difference)


def _merge(proof: dict[str, Any], language: str) -> list[str]:
    if "merge_refused" in proof:
        reason = LabError.from_json(proof["merge_refused"]).problem(language)
        return [say("proof.merge_refused", language, reason=reason)]
    told = []
    for name in ("merge", "merge_bf16"):
        difference = number(proof[f"{name}_max_difference"], language)
        same, tokens = proof[f"{name}_same_tokens"], proof[f"{name}_tokens"]
        told.append(say(f"proof.{name}", language, difference=difference, same=same, tokens=tokens))
    return told


def _times(proof: dict[str, Any], language: str) -> str:
    told = []
    for way, ms in proof["ms_per_token"].items():
        low, high = (number(bound, language, 1) for bound in proof["ms_interval"][way])
        name = say(f"proof.way.{way}", language)
        told.append(f"{name} {number(ms, language, 1)} [{low}–{high}]")
    return say("proof.ms", language, values=" · ".join(told))


def _sizes(proof: dict[str, Any], language: str) -> str:
    adapter, base = proof["adapter_bytes"], proof["base_bytes"]
    return say(
        "proof.bytes",
        language,
        adapter=byte_size(adapter, language),
        base=byte_size(base, language),
        many=MANY,
        adapters=byte_size(base + MANY * adapter, language),
        copies=byte_size(MANY * base, language),
    )
