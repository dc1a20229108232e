"""What each step trains on: a function of the seed and the step, so resuming needs no state."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from pretraining.respelling import Respeller
from pretraining.vocabulary import BEGIN, END

RESPELT = 0.05  # the share of rows drawn from the respelt text
LONG_EVERY = 8  # every so many steps rows are twice as long and half as many


@dataclass(frozen=True)
class Tokens:
    """Documents end to end, each `<|begin|> … <|end|>`; starts: where each begins."""

    ids: np.ndarray
    starts: np.ndarray
    weight: float

    @classmethod
    def join(
        cls, documents: Sequence[Sequence[int]], tokenizer: Tokenizer, weight: float
    ) -> Tokens:
        begin, end = tokenizer.token_to_id(BEGIN), tokenizer.token_to_id(END)
        lengths = [len(document) + 2 for document in documents]
        ids = np.fromiter(
            (id for document in documents for id in (begin, *document, end)), np.int32, sum(lengths)
        )
        return cls(ids, np.cumsum([0, *lengths[:-1]]), weight)


def encode(documents: Sequence[str], tokenizer: Tokenizer, weight: float) -> Tokens:
    found = tokenizer.encode_batch(list(documents), add_special_tokens=False)
    return Tokens.join([each.ids for each in found], tokenizer, weight)


def respell(documents: Sequence[str], tokenizer: Tokenizer, share: float, seed: int) -> Tokens:
    """A share of the documents, chosen by the seed, in rare spellings."""
    rng, respeller = random.Random(seed), Respeller(tokenizer)
    chosen = rng.sample(list(documents), max(1, int(len(documents) * share)))
    return Tokens.join([respeller.encode(text, rng) for text in chosen], tokenizer, 1.0)


class Stream:
    """Batches of windows from the plain texts and, for a share of rows, from the respelt one."""

    def __init__(self, plain: Sequence[Tokens], respelt: Tokens, seed: int, begin: int):
        self.plain, self.respelt, self.seed, self.begin = plain, respelt, seed, begin
        sizes = np.array([len(tokens.ids) * tokens.weight for tokens in plain])
        self.chances = sizes / sizes.sum()

    def batch(self, step: int, rows: int, length: int) -> tuple[Tensor, Tensor]:
        """ids and targets [rows, length]; that a begin follows an end is no target (-1)."""
        if step % LONG_EVERY == LONG_EVERY - 1:
            rows, length = rows // 2, length * 2
        rng = np.random.default_rng((self.seed, step))
        windows = torch.from_numpy(np.stack([self._window(rng, length) for _ in range(rows)]))
        ids, targets = windows[:, :-1].long(), windows[:, 1:].long()
        return ids, targets.masked_fill(targets == self.begin, -1)

    def _window(self, rng: np.random.Generator, length: int) -> np.ndarray:
        """length + 1 tokens from anywhere or, as often, from the start of a story."""
        tokens = self.respelt
        if rng.random() >= RESPELT:
            tokens = self.plain[rng.choice(len(self.plain), p=self.chances)]
        at = int(rng.integers(len(tokens.ids)))
        if rng.random() < 0.5:
            at = int(tokens.starts[np.searchsorted(tokens.starts, at, "right") - 1])
        return np.take(tokens.ids, np.arange(at, at + length + 1), mode="wrap")
