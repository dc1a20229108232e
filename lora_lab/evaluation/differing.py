"""How much two ways to the same answer differ: the largest logit difference, and greedy tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from lora_lab.evaluation.forward import Forward
from lora_lab.evaluation.generating import answering
from lora_lab.evaluation.prompting import context, prompt_ids
from lora_lab.lora.routing import Choice, Routing

PROMPT = "Once upon a time, in a house by the sea,"
TOKENS = 16


@dataclass(frozen=True)
class Difference:
    """largest: of all logits at all positions; same_tokens: of `tokens` greedy ones, how many
    agree before the first that does not."""

    largest: float
    same_tokens: int
    tokens: int


@dataclass(frozen=True)
class Answer:
    """ids: the prompt's; tokens: what the model went on with, greedily; logits: what it chose each
    of them from, [tokens, vocabulary], float32."""

    ids: list[int]
    tokens: list[int]
    logits: torch.Tensor


def prompt(model: Any, tokenizer: Any) -> list[int]:
    """A prompt's tokens that leave room for TOKENS more."""
    ids = prompt_ids(tokenizer, PROMPT)
    limit = context(model)
    return ids if limit is None else ids[: max(1, limit - TOKENS)]


def answer(
    model: Any,
    ids: list[int],
    routing: Routing | None = None,
    column: Choice = None,
    forced: list[int] | None = None,
) -> Answer:
    """What column (None: the base) of the model makes of ids; its tokens are forced ones where
    these are given."""
    chosen = _Chosen(forced)
    with answering(model, routing, [column]):
        forward = Forward(model, [ids], TOKENS)
        tokens = [forward.step(chosen)[0] for _ in range(TOKENS)]
    return Answer(ids, tokens, torch.cat(chosen.logits))


class _Chosen:
    """Takes the likeliest token, or the forced one, and keeps what it chose from."""

    def __init__(self, forced: list[int] | None):
        self.forced, self.logits = forced, list[torch.Tensor]()

    def __call__(self, logits_RV: torch.Tensor) -> torch.Tensor:
        self.logits.append(logits_RV)
        if self.forced is None:
            return logits_RV.argmax(-1)
        return torch.tensor(self.forced[len(self.logits) - 1 :][:1], device=logits_RV.device)


def difference(
    first: Answer, model: Any, routing: Routing | None = None, column: Choice = None
) -> Difference:
    """How column of the model differs from an answer: in its logits along that answer's own
    tokens, and in the tokens it would have taken."""
    along = answer(model, first.ids, routing, column, forced=first.tokens)
    own = answer(model, first.ids, routing, column).tokens
    largest = (along.logits - first.logits).abs().max().item()
    pairs = enumerate(zip(first.tokens, own, strict=True))
    same = next((place for place, (a, b) in pairs if a != b), len(own))
    return Difference(largest, same, len(own))
