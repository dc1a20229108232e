"""A model folder made into a model and a tokenizer, ready for an adapter: frozen, in eval mode."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora_lab.errors import LabError
from lora_lab.models import architecture, measuring, weights
from lora_lab.models.sources import Local

if TYPE_CHECKING:
    import torch
    from torch import nn

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")


def load(local: Local, dtype: torch.dtype) -> tuple[nn.Module, Any]:
    """The model (eager attention, eval mode, nothing trainable) and its tokenizer.

    Eager attention is the fastest on a CPU and the exact one: right padding needs no mask.
    Raises LabError where the folder's weights, config or tokenizer do not fit together, or the
    model does not fit in memory.
    """
    architecture.check(local.folder / "config.json", local.name)
    weights.tensors(local.folder)
    _check_memory(local, dtype)
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            local.folder,
            dtype=dtype,
            attn_implementation="eager",
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise LabError("weights_do_not_fit", model=local.name) from error
    if info["missing_keys"] or info["mismatched_keys"]:
        raise LabError("weights_do_not_fit", model=local.name)
    model.requires_grad_(False).eval()
    return model, tokenizer(local)


def tokenizer(local: Local) -> Any:
    """The model's own tokenizer; one without a pad token pads with its end token.

    Raises no_tokenizer, tokenizer_corrupt or tokenizer_too_large.
    """
    from transformers import AutoTokenizer

    if not any((local.folder / name).is_file() for name in TOKENIZERS):
        raise LabError("no_tokenizer", model=local.name)
    try:
        found = AutoTokenizer.from_pretrained(
            local.folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # tokenizers' own parser raises bare Exception
        raise LabError("tokenizer_corrupt", model=local.name) from error
    known = architecture.read(local.folder / "config.json").get("vocab_size")
    if isinstance(known, int) and len(found) > known:
        raise LabError("tokenizer_too_large", model=local.name, tokens=len(found))
    if found.pad_token is None:
        found.pad_token = found.eos_token
    return found


def base_hash(base: nn.Module | Path) -> str:
    """sha256 over every tensor's name, dtype, shape and bytes, by sorted name.

    Of a folder: of the tensors in its files, so equal wherever the bits are; it says which base an
    adapter was made on, in whatever dtype that was loaded. Of a module: of its tensors as they
    stand in memory, adapters left out; the proof that training left the base alone.
    """
    pieces = _of_folder(base) if isinstance(base, Path) else _of_module(base)
    names = sorted(pieces)
    whole = hashlib.sha256()
    with ThreadPoolExecutor(2) as pool:  # hashlib lets other threads run while it works
        for name, digest in zip(names, pool.map(lambda n: pieces[n](), names), strict=True):
            whole.update(name.encode() + b"\0" + digest)
    return whole.hexdigest()


def _of_folder(folder: Path) -> dict[str, Callable[[], bytes]]:
    return {
        name: partial(_of_tensor_in_file, tensor)
        for name, tensor in weights.tensors(folder).items()
    }


def _of_module(module: nn.Module) -> dict[str, Callable[[], bytes]]:
    seen: set[int] = set()
    pieces: dict[str, Callable[[], bytes]] = {}
    for name, tensor in _base_tensors(module, ""):
        if tensor.data_ptr() not in seen:  # a tied matrix once
            seen.add(tensor.data_ptr())
            pieces[name] = partial(_of_tensor_in_memory, tensor)
    return pieces


def _base_tensors(module: nn.Module, path: str) -> Iterator[tuple[str, torch.Tensor]]:
    """What the module would save, as if the adapters that stand beside its matrices were not."""
    children = dict(module.named_children())
    if {"base", "adapters"} <= children.keys():
        yield from _base_tensors(children["base"], path)
        return
    unsaved = module._non_persistent_buffers_set
    for name, tensor in [*module._parameters.items(), *module._buffers.items()]:
        if tensor is not None and name not in unsaved:
            yield f"{path}{name}", tensor
    for name, child in children.items():
        yield from _base_tensors(child, f"{path}{name}.")


def _of_tensor_in_file(tensor: weights.Tensor) -> bytes:
    return _digest(tensor.dtype, tensor.shape, tensor.read())


def _of_tensor_in_memory(tensor: torch.Tensor) -> bytes:
    import torch

    flat = tensor.detach().cpu().contiguous().view(-1)
    raw = memoryview(flat.view(torch.uint8).numpy())
    return _digest(str(tensor.dtype), tuple(tensor.shape), raw)


def _digest(dtype: str, shape: tuple[int, ...], raw: bytes | memoryview) -> bytes:
    piece = hashlib.sha256(f"{dtype} {list(shape)}\n".encode())
    piece.update(raw)
    return piece.digest()


def _check_memory(local: Local, dtype: torch.dtype) -> None:
    import psutil

    need = measuring.measure(local.folder).total * dtype.itemsize
    free = psutil.virtual_memory().available
    if need > free:
        raise LabError(
            "model_too_large",
            model=local.name,
            need=round(need / 1e9, 2),
            free=round(free / 1e9, 2),
        )
