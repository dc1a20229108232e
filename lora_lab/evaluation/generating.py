"""Answers of many columns to many prompts, written in step by one batched pass.

rows = prompts × columns          columns: None (the base) or (adapter, strength)

prompt 1 ┬ base        ─► "Once"  ─► " upon" ─► …      every row takes one token a step;
         └ pirate ×1   ─► "Arr"   ─► "!"     ─► …      the base's weights are read once a step
prompt 2 ┬ base        ─► "The"   ─► " cat"  ─► …      for all rows, which is what takes time
         └ pirate ×1   ─► "Arr"   ─► ", the" ─► …
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lora_lab.evaluation.choosing import Chooser
from lora_lab.evaluation.forward import Forward
from lora_lab.evaluation.prompting import end_tokens, prompt_ids, room
from lora_lab.evaluation.unfolding import Unfolding
from lora_lab.models import prefixed

Column = tuple[str, float] | None


@dataclass(frozen=True)
class Piece:
    """What one step added to one answer.

    prompt, column: which answer, by place in the lists asked for. text: what came (may be empty).
    tokens: how many the answer has now. ended: None while it goes on, then why it stopped: "end"
    (its end token), "length" (as many tokens as asked for), "context" (the model reads no more) or
    "stopped" (by the person).
    """

    prompt: int
    column: int
    text: str
    tokens: int
    ended: str | None


def stream(
    model: Any,
    tokenizer: Any,
    routing: Any,
    prompts: list[str],
    columns: list[Column],
    max_new_tokens: int,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
    stop: Callable[[], bool] = lambda: False,
    system: str = "",
    asks: bool | None = None,
) -> Iterator[list[Piece]]:
    """One list of pieces a step, one piece for each answer still being written.

    routing: the model's adapters (lora.layer.Routing); None for a model that has none. system,
    asks: see prompting.prompt_ids. Columns that ask for the same thing (strength 0 is the
    base) are computed once. The model and routing are left as they were found, also when the
    caller stops early. Raises LabError before the first step where a prompt is empty or longer
    than the model reads.
    """
    asked = [prompt_ids(tokenizer, prompt, system, asks) for prompt in prompts]
    distinct = list(dict.fromkeys(_plain(column) for column in columns))
    places = [[i for i, c in enumerate(columns) if _plain(c) == d] for d in distinct]
    answers = [
        _Answer(p, places[d], Unfolding(tokenizer, ids), max_new_tokens, _room(model, ids, column))
        for p, ids in enumerate(asked)
        for d, column in enumerate(distinct)
    ]
    forward = Forward(model, [ids for ids in asked for _ in distinct], max_new_tokens)
    choose, ends = Chooser(temperature, top_p, seed), end_tokens(model, tokenizer)
    with answering(model, routing, distinct * len(prompts)):
        while any(answer.ended is None for answer in answers):
            if stop():
                yield [piece for answer in answers for piece in answer.stopped()]
                return
            tokens = forward.step(choose)
            yield [
                piece
                for answer, token in zip(answers, tokens, strict=True)
                for piece in answer.add(token, ends)
            ]


@contextmanager
def answering(model: Any, routing: Any, rows: list[Column]) -> Iterator[None]:
    """The model without dropout and with each row on its column; afterwards as it was found."""
    was_training = model.training
    before = routing and (routing.whole, routing.by_row)
    model.eval()
    try:
        if routing:
            routing.rows(rows)
        yield
    finally:
        model.train(was_training)
        if routing:
            routing.whole, routing.by_row = before


def _room(model: Any, ids: list[int], column: Column) -> int | None:
    """How many tokens an answer may have: a prefix takes positions too."""
    return room(model, ids, prefixed.length(model, column))


class _Answer:
    """One row's text so far, for every place that shows it."""

    def __init__(
        self, prompt: int, places: list[int], text: Unfolding, most: int, room: int | None
    ):
        self._prompt, self._places, self._text = prompt, places, text
        self._most, self._room = most, room
        self._tokens = 0
        self.ended: str | None = None

    def add(self, token: int, ends: set[int]) -> list[Piece]:
        if self.ended:
            return []
        self._tokens += 1
        if token in ends:
            self.ended = "end"
        elif self._tokens == self._most:
            self.ended = "length"
        elif self._tokens == self._room:
            self.ended = "context"
        return self._pieces(self._text.add(token))

    def stopped(self) -> list[Piece]:
        if self.ended:
            return []
        self.ended = "stopped"
        return self._pieces("")

    def _pieces(self, text: str) -> list[Piece]:
        if self.ended:
            text += self._text.rest()
        return [Piece(self._prompt, c, text, self._tokens, self.ended) for c in self._places]


def _plain(column: Column) -> Column:
    """A column as what it computes: an adapter at strength 0 is the base."""
    return None if column is None or column[1] == 0 else column
