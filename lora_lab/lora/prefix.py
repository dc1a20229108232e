"""Prefix tuning (Li and Liang 2021, arXiv:2101.00190): keys and values learnt instead of weights.

In every layer the text's queries look at P positions that stand before the text and hold no token,
only a trained key and a trained value for each key head:

    k, v [T, K, d] of the text  ─►  [prefix k, v [P, K, d]; k, v of the text]  ─►  attention as ever

    P = 16 on SmolLM2-135M (30 layers, K = 3 key heads, d = 64): 16 · 30 · 2 · 3 · 64 = 184,320.

The text's own positions are counted from P. The keys are learnt as the queries meet them, so no
rotary turn is given to them. The paper draws the prefix from a small network while it is trained
(section 4.3); here, as in peft's default, it is trained itself. It starts as N(0, 1), peft's start.

A prefix is there or not: strength has nothing to multiply, so any but zero is the whole prefix.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lora_lab.errors import LabError
from lora_lab.lora.routing import Choice, Routing

TELLS_OTHERWISE = ("kv_lora_rank", "num_kv_shared_layers", "per_layer_config", "global_head_dim")
PLAIN_LAYERS = {"full_attention", "sliding_attention"}


class Prefixes:
    """The prefixes of one model by their adapters' names; they stand at the model's attribute
    `prefixes`, out of its state_dict, and whoever runs the model reads them there."""

    def __init__(self, routing: Routing):
        self.routing = routing
        self.held: dict[str, nn.Parameter] = {}

    def of(self, choice: Choice) -> torch.Tensor | None:
        """What a row of this choice looks at first, [P, layers, 2, K, d]; None for nothing."""
        return self.held.get(choice[0]) if choice and choice[1] != 0 else None

    def whole(self) -> torch.Tensor | None:
        """What every row looks at first, where all rows go the same way."""
        return self.of(self.routing.whole)

    def rows(self, count: int) -> list[torch.Tensor | None]:
        """What each of a batch's rows looks at first."""
        return [self.of(choice) for choice in self.routing.by_row or [self.routing.whole] * count]


def on(model: nn.Module) -> Prefixes | None:
    """The model's prefixes; None while it has none."""
    return getattr(model, "prefixes", None)


def put(model: nn.Module, name: str, prefix: torch.Tensor, rows: Routing) -> nn.Parameter:
    """Stand a copy of prefix [P, layers, 2, K, d] beside the model, float32 and trainable.

    Raises LabError("prefix_unsupported") as `shape` does, LabError("prefix_does_not_fit").
    """
    check(model, prefix)
    device = next(model.parameters()).device
    parameter = nn.Parameter(prefix.detach().to(device, torch.float32, copy=True))
    held: Any = on(model) or Prefixes(rows)
    held.held[name] = parameter
    model.prefixes = held  # type: ignore[assignment]
    return parameter


def get(model: nn.Module, name: str) -> nn.Parameter | None:
    """The adapter's prefix, where it has one."""
    prefixes = on(model)
    return prefixes.held.get(name) if prefixes else None


def routing(model: nn.Module) -> Routing | None:
    """Which prefix each row looks at; None while there is no prefix."""
    prefixes = on(model)
    return prefixes.routing if prefixes else None


def drop(model: nn.Module, name: str) -> None:
    """Forget one prefix."""
    prefixes = on(model)
    if prefixes is not None:
        prefixes.held.pop(name, None)


def clear(model: nn.Module) -> None:
    """Forget all of them, and the place for them."""
    if on(model) is not None:
        del model.prefixes


def check(model: nn.Module, prefix: torch.Tensor) -> None:
    """Raises what `put` would raise."""
    expected = shape(model)
    if tuple(prefix.shape[1:]) != (expected[0], 2, *expected[1:]):
        found = "layers {}, heads {} × {}".format(prefix.shape[1], *prefix.shape[3:])
        wanted = "layers {}, heads {} × {}".format(*expected)
        raise LabError("prefix_does_not_fit", found=found, expected=wanted)


def shape(model: nn.Module) -> tuple[int, int, int]:
    """(layers, key heads, a head's width). Raises LabError("prefix_unsupported") where not every
    layer keeps the same keys and values: state spaces, shared or compressed ones."""
    told: Any = model.config
    config = told.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or PLAIN_LAYERS)
    heads = getattr(config, "num_attention_heads", None)
    if heads is None or kinds - PLAIN_LAYERS or any(map(config.__dict__.get, TELLS_OTHERWISE)):
        raise LabError("prefix_unsupported", architecture=type(model).__name__)
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    return config.num_hidden_layers, getattr(config, "num_key_value_heads", None) or heads, width


def check_room(model: nn.Module, tokens: int, longest: int) -> None:
    """Raises LabError("prefix_no_room") where a model that learned each position by itself (GPT-2,
    OPT) has none left for a row of `longest` tokens behind the prefix."""
    told: Any = model
    words = told.get_input_embeddings()
    tables = [m for m in model.modules() if isinstance(m, nn.Embedding) and m is not words]
    limit = getattr(told.config.get_text_config(), "max_position_embeddings", None)
    if tables and limit is not None and tokens + longest > limit:
        raise LabError("prefix_no_room", tokens=tokens, longest=longest, context=limit)


def gaussian(model: nn.Module, tokens: int, seed: int) -> torch.Tensor:
    """A prefix [tokens, layers, 2, K, d] at its start: N(0, 1), from seed alone."""
    layers, heads, width = shape(model)
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(tokens, layers, 2, heads, width, generator=generator)
