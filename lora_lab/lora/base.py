"""What an adapter may stand beside, each kind seen as one matrix W0 [out, in].

nn.Linear      keeps W0 [out, in] and computes W0 x + b
Conv1D         GPT-2's Linear, which keeps W0 [in, out]
nn.Embedding   keeps W0 [tokens, width]: `in` is the vocabulary, x a one-hot vector, so that
               W0 x is a column looked up, and A x is one too
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import embedding, linear

from lora_lab.errors import LabError
from lora_lab.lora.adapter import Adapter
from lora_lab.lora.targets import EMBEDDINGS, last_name


def is_matrix(path: str, module: nn.Module) -> bool:
    """Whether LoRA can stand beside it. Of embeddings the plain kind alone, since the others do
    more than look up (Gemma 3 scales its vectors), and only those of tokens: a batch shares its
    positions, and its rows could not take adapters of their own."""
    if is_embedding(module):
        return last_name(path.removesuffix(".base")) in EMBEDDINGS
    return isinstance(module, nn.Linear) or is_conv1d(module)


def is_embedding(module: nn.Module) -> bool:
    return type(module) is nn.Embedding


def is_conv1d(module: nn.Module) -> bool:
    return type(module).__name__ == "Conv1D"


def _is_turned(module: nn.Module) -> bool:
    """Whether the module keeps W0 the other way round, [in, out]."""
    return is_conv1d(module) or is_embedding(module)


def matrix(base: nn.Module) -> torch.Tensor:
    """W0 [out, in], whichever way round the module keeps it."""
    return base.weight.t() if _is_turned(base) else base.weight


def down(base: nn.Module, x: torch.Tensor, A: torch.Tensor) -> torch.Tensor:
    """A x: x [..., in] -> [..., r]; beside an embedding x [...] are token ids."""
    return embedding(x, A.t()) if is_embedding(base) else linear(x, A)


def bias(base: nn.Module) -> torch.Tensor | None:
    """b [out], where the module adds one."""
    return getattr(base, "bias", None)


def check_untied(model: nn.Module, path: str, base: nn.Module) -> None:
    """Raises LabError("embeddings_tied") where the matrix at path is a second one as well: what
    suits the head would change what every token is read as."""
    for other, module in model.named_modules():
        itself = module is base or getattr(module, "base", None) is base
        if not itself and getattr(module, "weight", None) is base.weight:
            raise LabError("embeddings_tied", path=path, other=other.removesuffix(".base"))


def check_fits(base: nn.Module, path: str, adapter: Adapter) -> None:
    """Raises LabError("target_not_a_matrix", "adapter_does_not_fit") where the adapter's part for
    path was not made for this base."""
    A, B = adapter.tensors[path]
    outputs, inputs = matrix(base).shape
    if is_embedding(base) != (path in adapter.embeddings):
        raise LabError("target_not_a_matrix", path=path)
    if (B.shape[0], A.shape[1]) != (outputs, inputs):
        found, expected = f"{A.shape[1]} → {B.shape[0]}", f"{inputs} → {outputs}"
        raise LabError("adapter_does_not_fit", path=path, found=found, expected=expected)


def check_brought(model: nn.Module, adapter: Adapter) -> None:
    """Raises LabError("adapter_other_embedding") where what the file brought along is not what this
    model has: it was resized, or trained."""
    modules = dict(model.named_modules()) if adapter.brought else {}
    for path, brought in adapter.brought.items():
        weight = getattr(modules.get(path), "weight", None)
        if weight is None or not _same_numbers(brought, weight):
            raise LabError("adapter_other_embedding", path=path)


def _same_numbers(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors are the same once both are as coarse as the coarser."""
    if not (one.is_floating_point() and other.is_floating_point()):
        return False
    coarser = min(one.dtype, other.dtype, key=lambda kind: torch.finfo(kind).bits)
    if one.shape != other.shape:
        return False
    return torch.equal(one.to(other.device, coarser), other.detach().to(coarser))
