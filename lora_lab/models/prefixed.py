"""A prefix as transformers takes it: a key-value cache that is filled before the first token.

[rows, K, P, d] in every layer      row 1   ░░░░ k v k v      a shorter prefix stands at the
                                    row 2   k v k v k v k     right; the caller's mask hides
                                    row 3   ░░░░░░░░░░░░░     what is before it
"""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import nn
from transformers import DynamicCache

Prefix: TypeAlias = torch.Tensor | None  # [P, layers, 2, K, d]


def whole(model: nn.Module) -> Prefix:
    """What stands before every row now."""
    held: Any = getattr(model, "prefixes", None)
    return held.whole() if held is not None else None


def rows(model: nn.Module, count: int) -> list[Prefix]:
    """What stands before each of a batch's rows now."""
    held: Any = getattr(model, "prefixes", None)
    return held.rows(count) if held is not None else [None] * count


def length(model: nn.Module, column: tuple[str, float] | None) -> int:
    """How many positions the prefix of an adapter at a strength takes."""
    held: Any = getattr(model, "prefixes", None)
    prefix = held.of(column) if held is not None else None
    return 0 if prefix is None else len(prefix)


def past(model: Any, rows: int) -> dict[str, Any]:
    """What the model's forward is told beside right-padded ids of so many rows; {} without."""
    prefix = whole(model)
    if prefix is None:
        return {}
    return {"past_key_values": cache(model, [prefix] * rows)}


def cache(model: Any, prefixes: list[Prefix]) -> DynamicCache:
    """A cache that starts with each row's prefix; empty where no row has one."""
    made = DynamicCache(config=model.config)
    longest = max((len(prefix) for prefix in prefixes if prefix is not None), default=0)
    if not longest:
        return made
    filled = _side_by_side(prefixes, longest).to(model.dtype)
    for layer, (keys, values) in enumerate(filled):
        made.update(keys, values, layer)
    return made


def _side_by_side(prefixes: list[Prefix], longest: int) -> torch.Tensor:
    """[layers, 2, rows, K, longest, d], zero where a row has nothing."""
    one = next(prefix for prefix in prefixes if prefix is not None)
    rows = []
    for prefix in prefixes:
        short = longest - (0 if prefix is None else len(prefix))
        nothing = one.new_zeros(short, *one.shape[1:])
        rows.append(nothing if prefix is None else torch.cat([nothing, prefix]))
    return torch.stack(rows).permute(2, 3, 0, 4, 1, 5)
