"""The training forward: right-padded batches, no mask, logits only where the loss counts.

A causal model never looks to the right, so at the real positions of a right-padded row nothing
depends on the padding, and the mask that would hide it is never made. With eager attention this is
exact, bit for bit; what comes out at padded positions means nothing and is never read.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import cross_entropy


def hidden_states(model: nn.Module, ids_BT: torch.Tensor) -> torch.Tensor:
    """What the head reads, [B, T, D]. ids_BT: right-padded token ids; any id may be the padding."""
    return model.base_model(input_ids=ids_BT, use_cache=False).last_hidden_state


def supervised_loss(
    model: nn.Module, ids_BT: torch.Tensor, supervised_BT: torch.Tensor
) -> tuple[torch.Tensor, int]:
    """Summed cross-entropy in nats over the supervised tokens, and how many there are.

    supervised_BT: True where the token itself is a target (predicted from those before it; a row's
    first token never is). Divide by the count of the whole optimiser step, not of each batch.
    """
    counted = supervised_BT[:, 1:]
    x_ND = hidden_states(model, ids_BT)[:, :-1][counted]
    logits_NV = model.get_output_embeddings()(x_ND)
    loss = cross_entropy(logits_NV.float(), ids_BT[:, 1:][counted], reduction="sum")
    return loss, x_ND.shape[0]
