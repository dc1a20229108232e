"""Adapters put onto a model, taken off it, and read from it.

model.layers.0.self_attn.q_proj            Linear
  │  attach: the Linear moves one step down, untouched
  ▼
model.layers.0.self_attn.q_proj            LoRALayer
model.layers.0.self_attn.q_proj.base       the same Linear
  │  detach: the same Linear is put back
  ▼
model.layers.0.self_attn.q_proj            Linear
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch
from torch import nn

from lora_lab.errors import LabError
from lora_lab.lora import inits, prefix
from lora_lab.lora.adapter import Adapter, scaling
from lora_lab.lora.base import (
    check_brought,
    check_fits,
    check_untied,
    is_conv1d,
    is_embedding,
    is_matrix,
    matrix,
)
from lora_lab.lora.layer import LoRALayer
from lora_lab.lora.low_rank import LowRank
from lora_lab.lora.routing import Routing


def attach(
    model: nn.Module,
    name: str,
    paths: Iterable[str],
    rank: int,
    alpha: float,
    dropout: float = 0.0,
    seed: int = 0,
    *,
    rank_stabilised: bool = False,
    init: str = "gaussian",
    with_magnitudes: bool = False,
) -> Routing:
    """A new adapter on the matrices at paths, ready to train; every row goes through it.

    The base is frozen. Random numbers are drawn from seed alone, path by path in the order given.
    init: see inits.py; with_magnitudes: DoRA. Raises LabError("target_not_a_matrix",
    "embeddings_tied", "pissa_rank").
    """
    draws = torch.Generator().manual_seed(seed)
    scale = scaling(alpha, rank, rank_stabilised)
    tensors = {}
    for path in paths:
        base = _base(model, path)
        check_untied(model, path, base)
        tensors[path] = inits.start(init, matrix(base), rank, scale, draws, is_embedding(base))
    new = Adapter(
        rank,
        alpha,
        tensors,
        dropout=dropout,
        rank_stabilised=rank_stabilised,
        embeddings=frozenset(path for path in tensors if is_embedding(_base(model, path))),
    )
    routing = add(model, name, new)
    for path, pair in _pairs(model, name):
        if init == "pissa":
            pair.take_away_start()
        if with_magnitudes:
            pair.start_magnitude(matrix(_base(model, path)))
    return routing


def add(model: nn.Module, name: str, adapter: Adapter) -> Routing:
    """An adapter that exists already; every row goes through it until Routing is told otherwise.

    Raises LabError("target_not_a_matrix", "adapter_does_not_fit") and leaves the model as it was.
    """
    for path in adapter.tensors:
        check_fits(_base(model, path), path, adapter)
    check_brought(model, adapter)
    if adapter.prefix is not None:
        prefix.check(model, adapter.prefix)
    routing = _routing(model)
    _freeze(model, routing)
    remove(model, name)
    for path, (A, B) in adapter.tensors.items():
        layer = _wrapped(model, path, routing)
        m, scale = adapter.magnitudes.get(path), adapter.scaling(path)
        pair = LowRank(A, B, m, scale, adapter.dropout).to(matrix(layer.base).device)
        layer.put(name, pair.train(layer.training))
    if adapter.prefix is not None:
        prefix.put(model, name, adapter.prefix, routing)
    routing.known[name] = replace(adapter, tensors={}, magnitudes={}, brought={}, prefix=None)
    routing.all(name)
    return routing


def remove(model: nn.Module, name: str) -> None:
    """Forget one adapter; the layers stay for the others, and every row is back at the base."""
    routing = _routing(model)
    for _, layer in layers(model):
        layer.drop(name)
    prefix.drop(model, name)
    routing.known.pop(name, None)
    routing.off()


def detach(model: nn.Module) -> None:
    """The base back, the same modules and the same bits; every adapter is gone."""
    for parameter in _routing(model).thawed:
        parameter.requires_grad_(True)
    for path, layer in list(layers(model)):
        _replace(model, path, layer.base)
    prefix.clear(model)


def matrices(model: nn.Module) -> dict[str, tuple[int, int]]:
    """Every matrix an adapter may stand beside: its path in the base -> (in, out)."""
    return {
        path.removesuffix(".base"): (matrix(module).shape[1], matrix(module).shape[0])
        for path, module in model.named_modules()
        if is_matrix(path, module)
    }


def layers(model: nn.Module) -> Iterator[tuple[str, LoRALayer]]:
    """Every adapted matrix with its path in the base."""
    for path, module in model.named_modules():
        if isinstance(module, LoRALayer):
            yield path, module


def trainable_parameters(model: nn.Module, name: str) -> list[nn.Parameter]:
    """The adapter's A, B, A, B, … (with DoRA A, B, magnitude, …), then its prefix: what the
    optimiser is given."""
    thin = [parameter for _, pair in _pairs(model, name) for parameter in pair.parameters()]
    before = prefix.get(model, name)
    return thin if before is None else [*thin, before]


def state(model: nn.Module, name: str) -> dict[str, torch.Tensor]:
    """The adapter's tensors, "<path>.A", "<path>.B" and "<path>.magnitude", then "prefix", as a
    checkpoint keeps them."""
    thin = {
        f"{path}.{part}": parameter.detach()
        for path, pair in _pairs(model, name)
        for part, parameter in pair.named_parameters()
    }
    before = prefix.get(model, name)
    return thin if before is None else thin | {"prefix": before.detach()}


def set_state(model: nn.Module, name: str, kept: dict[str, torch.Tensor]) -> None:
    """What `state` gave, put back in place (an optimiser keeps hold of the same tensors)."""
    for key, tensor in state(model, name).items():
        tensor.copy_(kept[key])


def extract(model: nn.Module, name: str) -> Adapter:
    """A copy of the adapter as it is now, to be saved; of PiSSA the plain LoRA, of twice the rank,
    that it is to the untouched base (inits.py)."""
    pairs = dict(_pairs(model, name))
    bases = {path: _base(model, path) for path in pairs}
    before = prefix.get(model, name)
    known = _routing(model).known[name]
    doubled = any(pair.A0 is not None for pair in pairs.values())
    return replace(
        known,
        rank=known.rank * (2 if doubled else 1),
        alpha=known.alpha * (1 if not doubled else 2**0.5 if known.rank_stabilised else 2),
        tensors={path: tuple(map(_copy, pair.factors())) for path, pair in pairs.items()},
        magnitudes={
            path: _copy(pair.magnitude)
            for path, pair in pairs.items()
            if pair.magnitude is not None
        },
        embeddings=frozenset(path for path, base in bases.items() if is_embedding(base)),
        fan_in_fan_out=any(map(is_conv1d, bases.values())),
        prefix=None if before is None else _copy(before),
    )


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().cpu().clone()


def base_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """The base's state_dict as it would be without the adapters."""
    wrapped = {path for path, _ in layers(model)}
    tensors = {}
    for name, tensor in model.state_dict().items():
        path, found, inside = name.rpartition(".base.")
        if found and path in wrapped:
            tensors[f"{path}.{inside}"] = tensor
        elif not any(name.startswith(f"{path}.adapters.") for path in wrapped):
            tensors[name] = tensor
    return tensors


def _pairs(model: nn.Module, name: str) -> Iterator[tuple[str, LowRank]]:
    for path, layer in layers(model):
        pair = layer.get(name)
        if pair is not None:
            yield path, pair


def _routing(model: nn.Module) -> Routing:
    on_layers = next((layer.routing for _, layer in layers(model)), None)
    return on_layers or prefix.routing(model) or Routing()


def _freeze(model: nn.Module, routing: Routing) -> None:
    ours = {id(p) for _, layer in layers(model) for p in layer.adapters.parameters()}
    for parameter in model.parameters():
        if parameter.requires_grad and id(parameter) not in ours:
            routing.thawed.append(parameter.requires_grad_(False))


def _base(model: nn.Module, path: str) -> nn.Module:
    try:
        module = model.get_submodule(path)
    except AttributeError:
        module = None
    base = module.base if isinstance(module, LoRALayer) else module
    if base is None or not is_matrix(path, base):
        raise LabError("target_not_a_matrix", path=path)
    return base


def _wrapped(model: nn.Module, path: str, routing: Routing) -> LoRALayer:
    module = model.get_submodule(path)
    if not isinstance(module, LoRALayer):
        module = LoRALayer(module, routing).train(module.training)
        _replace(model, path, module)
    return module


def _replace(model: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, module)
