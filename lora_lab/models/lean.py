"""The training forward: right-padded batches, no mask, logits only where the loss counts.

A causal model never looks to the right, so at the real positions of a right-padded row nothing
depends on the padding, and the mask that would hide it is never made. With eager attention this is
exact, bit for bit; what comes out at padded positions means nothing and is never read.

The Llama family goes through llama.py; every other model through transformers' own forward. A
prefix that stands on the model (lora/prefix.py, at its attribute `prefixes`) is seen by every row.
"""

from __future__ import annotations

from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lora_lab.models import llama, prefixed
from lora_lab.models.functions import HeadLoss
from lora_lab.models.packing import Packing

_plain_heads: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()
_asking = Lock()  # shares of the first batch ask at the same time


def hidden_states(model: nn.Module, ids_BT: torch.Tensor) -> torch.Tensor:
    """What the head reads, [B, T, D]. ids_BT: right-padded token ids; any id may be the padding."""
    everywhere = torch.ones_like(ids_BT, dtype=torch.bool)
    return _hidden_at(model, ids_BT, everywhere).unflatten(0, ids_BT.shape)


def supervised_loss(
    model: nn.Module, ids_BT: torch.Tensor, supervised_BT: torch.Tensor
) -> tuple[torch.Tensor, int]:
    """Summed cross-entropy in nats over the supervised tokens, and how many there are.

    supervised_BT: True where the token itself is a target (predicted from those before it; a row's
    first token never is). Divide by the count of the whole optimiser step, not of each batch. All
    rows go through the same adapter: Routing.rows is for transformers' own forward.
    """
    ids_BT, supervised_BT = _by_length(ids_BT, supervised_BT)
    counted_BT = supervised_BT[:, 1:]
    targets_N = ids_BT[:, 1:][counted_BT]
    if not len(targets_N):
        return torch.zeros((), device=ids_BT.device, requires_grad=True), 0
    head: Any = model.get_output_embeddings()
    if not _head_is_plain(model):
        out = model(input_ids=ids_BT, use_cache=False, **prefixed.past(model, len(ids_BT)))
        logits_NV = out.logits[:, :-1][counted_BT]
        return cross_entropy(logits_NV.float(), targets_N, reduction="sum"), len(targets_N)
    x_ND = _hidden_at(model, ids_BT[:, :-1], counted_BT)
    if isinstance(head, nn.Linear) and head.bias is None and not head.weight.requires_grad:
        return HeadLoss.apply(x_ND, head.weight, targets_N), len(targets_N)
    return cross_entropy(head(x_ND).float(), targets_N, reduction="sum"), len(targets_N)


def _by_length(ids_BT: torch.Tensor, supervised_BT: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The rows in order of their last supervised token, so that neighbours are alike."""
    places = torch.arange(ids_BT.shape[1], device=ids_BT.device)
    order = (supervised_BT * places).amax(1).argsort(stable=True)
    return ids_BT[order], supervised_BT[order]


def _hidden_at(model: nn.Module, ids_BT: torch.Tensor, wanted_BT: torch.Tensor) -> torch.Tensor:
    """[n, D], the wanted positions in order."""
    prefix = prefixed.whole(model)
    if llama.speaks(model, ids_BT.shape[1] + (0 if prefix is None else len(prefix))):
        return llama.hidden_states(model, ids_BT, Packing.of(wanted_BT), prefix)
    body: Any = model.base_model
    out = body(input_ids=ids_BT, use_cache=False, **prefixed.past(model, len(ids_BT)))
    return out.last_hidden_state[wanted_BT]


def _head_is_plain(model: Any) -> bool:
    """Whether the logits are the head's product and nothing more (Gemma 2 squeezes them, Cohere
    and Granite scale them). Asked of the model itself, once, to the bit."""
    with _asking:
        if model not in _plain_heads:
            training, ids = model.training, torch.arange(1, 9, device=model.device)[None]
            with torch.no_grad():
                model.eval()
                hidden = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
                through_head = model.get_output_embeddings()(hidden)
                logits = model(input_ids=ids, use_cache=False).logits
                model.train(training)
            _plain_heads[model] = torch.equal(through_head, logits)
        return _plain_heads[model]
