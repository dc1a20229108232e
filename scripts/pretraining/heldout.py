"""How well unseen text is foretold, also in a unit that does not hang on the vocabulary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer

from pretraining.network import Network
from pretraining.stream import encode

ROWS = 16


@dataclass(frozen=True)
class Score:
    """nats_per_token counts each story's text and its end; bits_per_byte spreads the same sum over
    the bytes of the text alone."""

    nats_per_token: float
    bits_per_byte: float


@torch.no_grad()
def score(network: Network, documents: Sequence[str], tokenizer: Tokenizer) -> Score:
    """Every story by itself from its begin, in windows of `positions` where it is longer."""
    tokens = encode(documents, tokenizer, 1.0)
    ends = [*tokens.starts[1:], len(tokens.ids)]
    longest = network.shape.positions
    windows = [
        tokens.ids[at : min(at + longest + 1, end)]
        for start, end in zip(tokens.starts, ends, strict=True)
        for at in range(start, end - 1, longest)
    ]
    windows.sort(key=len)
    nats, count = 0.0, 0
    device = network.model.norm.weight.device
    for first in range(0, len(windows), ROWS):
        rows = windows[first : first + ROWS]
        padded = torch.full((len(rows), max(map(len, rows))), -1)
        for row, window in zip(padded, rows, strict=True):
            row[: len(window)] = torch.from_numpy(window)
        ids, targets = padded[:, :-1].clamp(min=0), padded[:, 1:]
        nats += network(ids.to(device), targets.to(device)).item()
        count += int((targets >= 0).sum())
    size = sum(len(document.encode()) for document in documents)
    return Score(nats / count, nats / math.log(2) / size)
