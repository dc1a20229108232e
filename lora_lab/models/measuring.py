"""The shapes of a model that nobody measured yet, from its config.json alone.

The model is built on torch's meta device, where a tensor has a shape and no memory. Heavy: torch
and transformers take seconds to import.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from lora_lab.errors import LabError
from lora_lab.models import architecture, hub, landing, sources
from lora_lab.models.shapes import Matrix, Shapes, keep, shapes


def describe(ref: str, progress: landing.Report = lambda _: None) -> Shapes:
    """The shapes of any model, remembered from now on.

    Of a model on the Hub only the config is fetched; a GGUF is converted. Raises the LabErrors of
    sources.fetch.
    """
    try:
        return shapes(ref)
    except LabError:
        pass
    if sources.is_here(ref) or not sources.HUB_ID.fullmatch(ref.strip()):
        found = measure(sources.fetch(ref, progress).folder)
    else:
        repository = hub.listing(ref.strip())
        with tempfile.TemporaryDirectory() as folder:
            found = measure(hub.config(repository, Path(folder)).parent)
    keep(ref, found)
    return found


def measure(folder: Path) -> Shapes:
    """The shapes of the model that `folder`/config.json describes, built without memory.

    Raises the LabErrors of architecture.check, or config_corrupt when it cannot be built.
    """
    architecture.check(folder / "config.json", folder.name)
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    except Exception as error:  # each architecture meets a senseless config in its own way
        raise LabError("config_corrupt", file="config.json") from error
    return _shapes_of(model, config.get_text_config())


def _shapes_of(model: Any, config: Any) -> Shapes:
    width, heads = config.hidden_size, config.num_attention_heads
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    return Shapes(
        architecture=type(model).__name__,
        total=sum(p.numel() for p in model.parameters()),
        hidden=width,
        layers=config.num_hidden_layers,
        heads=heads,
        kv_heads=getattr(config, "num_key_value_heads", None) or heads,
        ff=_first(config, ("intermediate_size", "ffn_dim", "n_inner")) or 4 * width,
        vocab=config.vocab_size,
        context=getattr(config, "max_position_embeddings", None) or 0,
        tied=head is not None and head.weight is embedding.weight,
        matrices=_gathered(_matrices(model)),
    )


def _matrices(model: Any) -> Iterator[Matrix]:
    from torch import nn

    for path, module in model.named_modules():
        if isinstance(module, nn.Linear):
            yield Matrix(path, 1, module.in_features, module.out_features, "linear")
        elif isinstance(module, nn.Embedding):
            yield Matrix(path, 1, module.num_embeddings, module.embedding_dim, "embedding")
        elif type(module).__name__ == "Conv1D":
            inputs, outputs = module.weight.shape
            yield Matrix(path, 1, inputs, outputs, "conv1d")


def _gathered(each: Iterator[Matrix]) -> list[Matrix]:
    """The same matrix of layers 0 … n - 1 as one entry; a layer unlike the others stays apart."""
    groups: dict[Matrix, list[Matrix]] = {}
    for matrix in each:
        pattern = re.sub(r"\.\d+\.", ".{}.", matrix.path, count=1)
        key = Matrix(pattern, 1, matrix.in_features, matrix.out_features, matrix.kind)
        groups.setdefault(key, []).append(matrix)
    found: list[Matrix] = []
    for key, members in groups.items():
        paths = [key.path.replace("{}", str(layer)) for layer in range(len(members))]
        if "{}" in key.path and paths == [m.path for m in members]:
            found.append(replace(key, count=len(members)))
        else:
            found += members
    return found


def _first(config: Any, names: tuple[str, ...]) -> int | None:
    return next((getattr(config, n) for n in names if getattr(config, n, None)), None)
