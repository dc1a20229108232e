"""Answers of many columns to many prompts, written in step by one batched pass.

rows = prompts × columns          columns: None (the base) or (adapter, strength)

prompt 1 ┬ base        ─► "Once"  ─► " upon" ─► …      every row takes one token a step;
         └ pirate ×1   ─► "Arr"   ─► "!"     ─► …      the base's weights are read once a step
prompt 2 ┬ base        ─► "The"   ─► " cat"  ─► …      for all rows, which is what takes time
         └ pirate ×1   ─► "Arr"   ─► ", the" ─► …
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from lora_lab.config import Sampling
from lora_lab.evaluation.choosing import Chooser
from lora_lab.evaluation.forward import Forward
from lora_lab.evaluation.prompting import end_tokens, prompt_ids, room
from lora_lab.evaluation.unfolding import Unfolding
from lora_lab.lora.routing import Choice, Routing
from lora_lab.models import prefixed


@dataclass(frozen=True)
class Piece:
    """What one step added to one answer.

    prompt, column: which answer, by place in the lists asked for. text: what came (may be empty).
    tokens: how many the answer has now. ended: None while it goes on, then why it stopped: "end"
    (its end token), "length" (as many tokens as asked for) or "context" (the model reads no more).
    """

    prompt: int
    column: int
    text: str
    tokens: int
    ended: str | None


@dataclass(frozen=True)
class Part:
    """The columns that one model answers, all in one pass.

    routing: the model's adapters (lora.routing.Routing); None for a model that has none. places:
    where each of the columns stands among those of all models.
    """

    model: Any
    routing: Routing | None
    columns: list[Choice]
    places: list[int]


@dataclass(frozen=True)
class Asked:
    """What every column is asked, and how the tokens are chosen.

    system, asks: see prompting.prompt_ids.
    """

    prompts: list[str]
    sampling: Sampling
    system: str = ""
    asks: bool | None = None


def stream(
    model: Any,
    tokenizer: Any,
    routing: Routing | None,
    prompts: list[str],
    columns: list[Choice],
    max_new_tokens: int,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
    system: str = "",
    asks: bool | None = None,
) -> Iterator[list[Piece]]:
    """in_step of one model."""
    part = Part(model, routing, columns, list(range(len(columns))))
    sampling = Sampling(max_new_tokens, temperature, top_p, seed)
    yield from in_step([part], tokenizer, Asked(prompts, sampling, system, asks))


def in_step(parts: list[Part], tokenizer: Any, asked: Asked) -> Iterator[list[Piece]]:
    """One list of pieces a step, one piece for each answer still being written.

    The models take their steps in turn and meet the same luck. Columns of one model that ask for
    the same thing (strength 0 is the base) are computed once. Models and routings are left as they
    were found, also when the caller stops early. Raises LabError before the first step where a
    prompt is empty or longer than the model reads.
    """
    ids = [prompt_ids(tokenizer, prompt, asked.system, asked.asks) for prompt in asked.prompts]
    with ExitStack() as held:
        writings = [_Writing(part, tokenizer, ids, asked) for part in parts]
        for writing in writings:
            held.enter_context(answering(writing.model, writing.routing, writing.rows))
        while any(writing.going for writing in writings):
            yield [piece for writing in writings if writing.going for piece in writing.step()]


class _Writing:
    """One model's answers, from the prompts' tokens on."""

    def __init__(self, part: Part, tokenizer: Any, prompts: list[list[int]], asked: Asked):
        self.model, self.routing = part.model, part.routing
        shown: dict[Choice, list[int]] = {}
        for column, place in zip(part.columns, part.places, strict=True):
            shown.setdefault(_plain(column), []).append(place)
        self.rows = list(shown) * len(prompts)
        self._answers = [
            _Answer(
                number,
                places,
                Unfolding(tokenizer, ids),
                asked.sampling.max_new_tokens,
                room(part.model, ids, prefixed.length(part.model, column)),
            )
            for number, ids in enumerate(prompts)
            for column, places in shown.items()
        ]
        every_row = [ids for ids in prompts for _ in shown]
        sampling = asked.sampling
        self._forward = Forward(part.model, every_row, sampling.max_new_tokens)
        self._choose = Chooser(sampling.temperature, sampling.top_p, sampling.seed)
        self._ends = end_tokens(part.model, tokenizer)

    @property
    def going(self) -> bool:
        return any(answer.ended is None for answer in self._answers)

    def step(self) -> list[Piece]:
        tokens = self._forward.step(self._choose)
        pairs = zip(self._answers, tokens, strict=True)
        return [piece for answer, token in pairs for piece in answer.add(token, self._ends)]


@contextmanager
def answering(model: Any, routing: Routing | None, rows: list[Choice]) -> Iterator[None]:
    """The model without dropout and with each row on its column; afterwards as it was found."""
    was_training = model.training
    before = (routing.whole, routing.by_row) if routing else (None, None)
    model.eval()
    try:
        if routing:
            routing.rows(rows)
        yield
    finally:
        model.train(was_training)
        if routing:
            routing.whole, routing.by_row = before


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
        text = self._text.add(token) + (self._text.rest() if self.ended else "")
        return [Piece(self._prompt, c, text, self._tokens, self.ended) for c in self._places]


def _plain(column: Choice) -> Choice:
    """A column as what it computes: an adapter at strength 0 is the base."""
    return None if column is None or column[1] == 0 else column
