"""adapter_config.json as peft writes it, read with suspicion."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_lab.errors import LabError
from lora_lab.lora.patterns import ending

LARGEST_JSON = 1_000_000  # bytes; peft's own are a few thousand
LARGEST_RANK = 1024
MOST_PATTERNS = 1000

# What changes the sum W0 x + s · B A x, or W0 itself, into something this lab does not compute.
BEYOND = (
    "modules_to_save",
    "lora_bias",
    "trainable_token_indices",
    "layer_replication",
    "megatron_config",
    "target_parameters",
    "use_qalora",
    "alora_invocation_tokens",
    "arrow_config",
    "use_bdlora",
    "kasa_config",
)
CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")  # starts that rewrite W0


@dataclass(frozen=True)
class Config:
    """The part of peft's configuration that says what the tensors mean."""

    rank: int
    alpha: float
    dropout: float
    rank_stabilised: bool
    with_magnitudes: bool
    fan_in_fan_out: bool
    ranks: list[tuple[Any, int]]  # (whether a path matches, rank), first match wins
    alphas: list[tuple[Any, float]]

    @classmethod
    def read(cls, file: Path) -> Config:
        told = read_json(file)
        _check_kind(told, file)
        return cls(
            rank=_rank(told.get("r"), "r", file),
            alpha=_number(told.get("lora_alpha"), "lora_alpha", file),
            dropout=min(max(_number(told.get("lora_dropout") or 0, "lora_dropout", file), 0), 0.99),
            rank_stabilised=told.get("use_rslora") is True,
            with_magnitudes=told.get("use_dora") is True,
            fan_in_fan_out=told.get("fan_in_fan_out") is True,
            ranks=_patterns(told, "rank_pattern", _rank, file),
            alphas=_patterns(told, "alpha_pattern", _number, file),
        )

    def rank_of(self, path: str) -> int:
        return _first(self.ranks, path, self.rank)

    def alpha_of(self, path: str) -> float:
        return _first(self.alphas, path, self.alpha)


def read_json(file: Path) -> dict[str, Any]:
    """A small JSON object, or LabError("adapter_bad_json")."""
    try:
        if file.stat().st_size > LARGEST_JSON:
            raise ValueError
        told = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise LabError("adapter_bad_json", file=file.name)
    return told


def _check_kind(told: dict[str, Any], file: Path) -> None:
    if told.get("peft_type") != "LORA":
        raise LabError("adapter_not_lora", file=file.name, found=str(told.get("peft_type"))[:40])
    start = told.get("init_lora_weights")
    beyond = [name for name in BEYOND if told.get(name)]
    beyond += ["bias"] if told.get("bias") not in (None, "none") else []
    if isinstance(start, str) and start.lower().startswith(CHANGES_BASE):
        beyond.append(f"init_lora_weights={start[:20]}")
    if beyond:
        raise LabError("adapter_beyond", file=file.name, found=", ".join(beyond))


def _patterns(told: dict[str, Any], name: str, value, file: Path) -> list[tuple[Any, Any]]:
    patterns = told.get(name) or {}
    if not isinstance(patterns, dict) or len(patterns) > MOST_PATTERNS:
        raise LabError("adapter_bad_value", file=file.name, name=name, value="…")
    return [(ending(pattern), value(number, name, file)) for pattern, number in patterns.items()]


def _first(patterns: list[tuple[Any, Any]], path: str, otherwise: Any) -> Any:
    return next((number for matches, number in patterns if matches(path)), otherwise)


def _rank(value: Any, name: str, file: Path) -> int:
    if type(value) is not int or not 1 <= value <= LARGEST_RANK:
        raise LabError(
            "adapter_bad_rank", file=file.name, name=name, value=str(value)[:40], most=LARGEST_RANK
        )
    return value


def _number(value: Any, name: str, file: Path) -> float:
    if type(value) not in (int, float) or abs(value) > 1e6 or math.isnan(value):
        raise LabError("adapter_bad_value", file=file.name, name=name, value=str(value)[:40])
    return value
