"""The next token of every row from its logits, with chance shared.

Rows that are compared must differ by their models alone, never by luck. So every row of a step
meets the same draw, by the Gumbel trick: argmax(logits / temperature + g), with one g a token of
the vocabulary, is a sample of softmax(logits / temperature). Equal logits then give equal tokens,
and alike logits mostly do.
"""

from __future__ import annotations

import torch

LIKELY = 256


class Chooser:
    """Chooses each step's tokens; temperature 0 takes the likeliest.

    top_p keeps the likeliest tokens that together hold that share of probability (Holtzman et al.
    2020, section 3.1); 1 keeps all.
    """

    def __init__(self, temperature: float, top_p: float, seed: int):
        self.temperature, self.top_p = temperature, top_p
        self._chance = torch.Generator().manual_seed(seed)

    def __call__(self, logits_RV: torch.Tensor) -> torch.Tensor:
        """logits [rows, vocabulary] -> token ids [rows]."""
        if self.temperature == 0:
            return logits_RV.argmax(-1)
        scores_RV = logits_RV / self.temperature
        if self.top_p < 1:
            scores_RV = _nucleus(scores_RV, self.top_p)
        # -log of an exponential draw is a Gumbel draw; drawn on the CPU, alike on every device.
        draws_V = torch.empty(logits_RV.shape[-1]).exponential_(generator=self._chance)
        return (scores_RV - draws_V.log().to(scores_RV)).argmax(-1)


def _nucleus(scores_RV: torch.Tensor, top_p: float) -> torch.Tensor:
    """scores, minus infinity outside the smallest set of likeliest tokens that reaches top_p."""
    shares_RV = scores_RV.softmax(-1)
    # Sorting a whole vocabulary takes as long as a small model's layers: mostly a few tokens do.
    likely, order = shares_RV.topk(min(LIKELY, shares_RV.shape[-1]))
    if likely.sum(-1).min() < top_p:
        likely, order = shares_RV.sort(dim=-1, descending=True, stable=True)
    before = likely.cumsum(-1) - likely
    outside_RV = torch.ones_like(scores_RV, dtype=torch.bool)
    outside_RV.scatter_(-1, order, before >= top_p)
    return scores_RV.masked_fill(outside_RV, -torch.inf)
