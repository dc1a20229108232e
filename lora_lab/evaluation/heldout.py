"""The loss on text that no training saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch

from lora_lab.data.tokenising import Encoded
from lora_lab.models import lean
from lora_lab.models.shares import in_shares

BATCH_TOKENS = 1024  # padding counted; a batch of one longer row is let through


def heldout_loss(model: Any, rows: list[Encoded], batch_tokens: int = BATCH_TOKENS) -> float:
    """Mean cross-entropy in nats over the supervised tokens of rows.

    Every row goes the way the model's Routing says now. Without dropout, without gradients, and
    without a draw from any random generator; the model is left in the mode it was found in.
    """
    device = model.get_input_embeddings().weight.device
    was_training = model.training
    model.eval()
    try:
        batches = list(_batches(rows, batch_tokens))
        shares = in_shares(partial(_losses, model, device), batches)
    finally:
        model.train(was_training)
    return sum(loss for loss, _ in shares) / sum(count for _, count in shares)


def _losses(
    model: Any, device: torch.device, batches: Sequence[list[Encoded]]
) -> tuple[float, int]:
    losses, counts = zip(*(_loss(model, batch, device) for batch in batches), strict=True)
    return sum(losses), sum(counts)


@torch.no_grad()
def _loss(model: Any, batch: list[Encoded], device: torch.device) -> tuple[float, int]:
    longest = max(len(row.ids) for row in batch)
    ids_BT = torch.zeros((len(batch), longest), dtype=torch.long)
    supervised_BT = torch.zeros((len(batch), longest), dtype=torch.bool)
    for place, row in enumerate(batch):
        ids_BT[place, : len(row.ids)] = torch.tensor(row.ids)
        supervised_BT[place, : len(row.ids)] = torch.tensor(row.supervised)
    loss, count = lean.supervised_loss(model, ids_BT.to(device), supervised_BT.to(device))
    return loss.item(), count


def _batches(rows: list[Encoded], batch_tokens: int) -> Iterator[list[Encoded]]:
    """Rows of like length together, as many as fit into batch_tokens when padded."""
    batch: list[Encoded] = []
    for row in sorted(rows, key=lambda row: len(row.ids), reverse=True):
        if batch and (len(batch) + 1) * len(batch[0].ids) > batch_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
