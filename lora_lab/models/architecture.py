"""Whether a model's config.json names something the lab can train: before any weights are fetched.

The list is transformers' own list of causal language models, so no code from a model's folder is
ever asked for.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lora_lab.errors import LabError

MOST_LAYERS = 1000
BOTH_WAYS = {"bert-generation", "xlnet"}  # besides those that transformers lists as masked models


def check(config: Path, model: str) -> dict[str, Any]:
    """The config of `model`, once it is one that transformers itself can build.

    Raises config_corrupt, unsupported_architecture, needs_remote_code, reads_both_ways or
    quantised_weights.
    """
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    told = read(config)
    kind = str(told.get("model_type", ""))
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        key = "needs_remote_code" if "auto_map" in told else "unsupported_architecture"
        raise LabError(key, model=model, architecture=_named(told, kind))
    masked = kind in BOTH_WAYS or kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if masked and not (told.get("is_decoder") or told.get("is_encoder_decoder")):
        raise LabError("reads_both_ways", model=model, architecture=_named(told, kind))
    if "quantization_config" in told:
        raise LabError("quantised_weights", model=model)
    return told


def read(config: Path) -> dict[str, Any]:
    """config.json as it stands; raises config_corrupt when it is no JSON object or no model's."""
    try:
        told = json.loads(config.read_text("utf-8"))
        layers = told.get("num_hidden_layers", told.get("n_layer", 1))
        if not 0 < layers <= MOST_LAYERS:
            raise ValueError("no model has that many layers")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise LabError("config_corrupt", file=config.name) from error
    return told


def _named(told: dict[str, Any], kind: str) -> str:
    architectures = told.get("architectures") or [kind or "?"]
    return str(architectures[0])[:80] if isinstance(architectures, list) else kind[:80]
