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
from lora_lab.lora.adapter import Adapter
from lora_lab.lora.layer import LoRALayer, LowRank, Routing, gaussian, is_matrix, matrix


def attach(
    model: nn.Module,
    name: str,
    paths: Iterable[str],
    rank: int,
    alpha: float,
    dropout: float = 0.0,
    seed: int = 0,
) -> Routing:
    """A new adapter on the matrices at paths, ready to train; every row goes through it.

    The base is frozen. A is drawn from seed alone, path by path in the order given; B is zero.
    Raises LabError("target_not_a_matrix").
    """
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for path in paths:
        outputs, inputs = matrix(_base(model, path)).shape
        tensors[path] = gaussian(rank, inputs, generator), torch.zeros(outputs, rank)
    return add(model, name, Adapter(rank, alpha, tensors, dropout=dropout))


def add(model: nn.Module, name: str, adapter: Adapter) -> Routing:
    """An adapter that exists already; every row goes through it until Routing is told otherwise.

    Raises LabError("target_not_a_matrix", "adapter_does_not_fit") and leaves the model as it was.
    """
    for path, (A, B) in adapter.tensors.items():
        outputs, inputs = matrix(_base(model, path)).shape
        if (B.shape[0], A.shape[1]) != (outputs, inputs):
            raise LabError(
                "adapter_does_not_fit",
                path=path,
                found=f"{A.shape[1]} → {B.shape[0]}",
                expected=f"{inputs} → {outputs}",
            )
    routing = _routing(model)
    _freeze(model, routing)
    remove(model, name)
    for path, (A, B) in adapter.tensors.items():
        layer = _wrapped(model, path, routing)
        device = matrix(layer.base).device
        A_own, B_own = (z.detach().to(device, torch.float32, copy=True) for z in (A, B))
        pair = LowRank(A_own, B_own, adapter.scaling(path), adapter.dropout)
        layer.put(name, pair.train(layer.training))
    routing.known[name] = replace(adapter, tensors={})
    routing.all(name)
    return routing


def remove(model: nn.Module, name: str) -> None:
    """Forget one adapter; the layers stay for the others, and every row is back at the base."""
    for _, layer in layers(model):
        layer.drop(name)
        layer.routing.known.pop(name, None)
        layer.routing.off()


def detach(model: nn.Module) -> None:
    """The base back, the same modules and the same bits; every adapter is gone."""
    for path, layer in list(layers(model)):
        for parameter in layer.routing.thawed:
            parameter.requires_grad_(True)
        _replace(model, path, layer.base)


def matrices(model: nn.Module) -> dict[str, tuple[int, int]]:
    """Every matrix an adapter may stand beside: its path in the base -> (in, out)."""
    return {
        path.removesuffix(".base"): (matrix(module).shape[1], matrix(module).shape[0])
        for path, module in model.named_modules()
        if is_matrix(module)
    }


def layers(model: nn.Module) -> Iterator[tuple[str, LoRALayer]]:
    """Every adapted matrix with its path in the base."""
    for path, module in model.named_modules():
        if isinstance(module, LoRALayer):
            yield path, module


def trainable_parameters(model: nn.Module, name: str) -> list[nn.Parameter]:
    """The adapter's A, B, A, B, …: what the optimiser is given."""
    return [parameter for _, pair in _pairs(model, name) for parameter in (pair.A, pair.B)]


def state(model: nn.Module, name: str) -> dict[str, torch.Tensor]:
    """The adapter's tensors, "<path>.A" and "<path>.B", as a checkpoint keeps them."""
    return {
        f"{path}.{side}": getattr(pair, side).detach()
        for path, pair in _pairs(model, name)
        for side in "AB"
    }


def set_state(model: nn.Module, name: str, kept: dict[str, torch.Tensor]) -> None:
    """What `state` gave, put back in place (an optimiser keeps hold of the same tensors)."""
    for key, tensor in state(model, name).items():
        tensor.copy_(kept[key])


def extract(model: nn.Module, name: str) -> Adapter:
    """A copy of the adapter as it is now, to be saved."""
    tensors = {
        path: (pair.A.detach().cpu().clone(), pair.B.detach().cpu().clone())
        for path, pair in _pairs(model, name)
    }
    turned = any(not isinstance(model.get_submodule(f"{path}.base"), nn.Linear) for path in tensors)
    return replace(_routing(model).known[name], tensors=tensors, fan_in_fan_out=turned)


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
    return next((layer.routing for _, layer in layers(model)), None) or Routing()


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
    if base is None or not is_matrix(base):
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
