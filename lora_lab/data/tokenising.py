"""Examples to tokens, with a mark on each token that the loss counts."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lora_lab.data import rendering
from lora_lab.data.dataset import Dataset
from lora_lab.errors import LabError

AT_ONCE = 1000  # examples given to the tokenizer in one call
LONGEST_WORD = 100  # characters
SHORTEST_STREAM = 200  # characters; a stream shorter than this has no part to hold out


@dataclass(frozen=True, slots=True)
class Encoded:
    """One sequence. supervised[i]: the loss counts how well ids[i] is foretold from ids[:i];
    cut: the example was longer than this."""

    ids: list[int]
    supervised: list[bool]
    row: int
    cut: bool


def encode(dataset: Dataset, tokenizer: Any, max_length: int) -> list[Encoded]:
    """Sequences of at most max_length tokens.

    A stream becomes consecutive windows, and a text one sequence with the end token; all tokens
    but the first are trained on. Of prompts and chats, the responses and their end tokens are.
    Left out are examples whose trained part lies whole behind the cut; a LabError if all do.
    """
    encoders = {"stream": _stream, "text": _texts, "prompt": _answers, "chat": _answers}
    found = encoders[dataset.shape](dataset, tokenizer, max_length)
    kept = [encoded for encoded in found if any(encoded.supervised)]
    if not kept:
        raise LabError("nothing_fits", file=dataset.name, max_length=max_length)
    return kept


def split(dataset: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """(train, held-out): documents drawn by seed, in file order; a stream's last part."""
    if dataset.shape == "stream":
        return _split_stream(dataset, share)
    count = len(dataset.examples)
    if count < 2:
        raise LabError("too_short_to_split", file=dataset.name, documents=count)
    heldout_count = min(max(1, round(count * share)), count - 1)
    drawn = set(random.Random(seed).sample(range(count), heldout_count))
    parts: tuple[list, list] = ([], [])
    for index, example in enumerate(dataset.examples):
        parts[index in drawn].append(example)
    return dataset.of(parts[0]), dataset.of(parts[1])


def _split_stream(dataset: Dataset, share: float) -> tuple[Dataset, Dataset]:
    (example,) = dataset.examples
    text = example["text"]
    if len(text.strip()) < SHORTEST_STREAM:
        raise LabError("stream_too_short_to_split", file=dataset.name, least=SHORTEST_STREAM)
    at = len(text) - max(round(len(text) * share), 1)
    near = max(1, at - LONGEST_WORD)
    space = max(text.rfind(" ", near, at), text.rfind("\n", near, at))
    at = space if space > 0 else at  # between words where a language writes them apart
    parts = [text[:at], text[at:]]
    if not all(part.strip() for part in parts):
        raise LabError("stream_too_short_to_split", file=dataset.name, least=SHORTEST_STREAM)
    train, heldout = ([{**example, "text": part}] for part in parts)
    return dataset.of(train), dataset.of(heldout)


def _stream(dataset: Dataset, tokenizer: Any, max_length: int) -> Iterator[Encoded]:
    (example,) = dataset.examples
    (ids,) = _ids([example["text"]], tokenizer)
    start = _start(tokenizer)
    size = max_length - len(start)
    for at in range(0, len(ids), size):
        yield _all_trained(start + ids[at : at + size], example["row"], max_length)


def _texts(dataset: Dataset, tokenizer: Any, max_length: int) -> Iterator[Encoded]:
    start, end = _start(tokenizer), _end(tokenizer)
    for examples in _chunks(dataset.examples):
        texts = [example["text"] for example in examples]
        for example, ids in zip(examples, _ids(texts, tokenizer), strict=True):
            yield _all_trained(start + ids + end, example["row"], max_length)


def _answers(dataset: Dataset, tokenizer: Any, max_length: int) -> Iterator[Encoded]:
    if not tokenizer.is_fast:
        raise LabError("tokenizer_without_offsets")
    templated = bool(tokenizer.chat_template)
    if dataset.shape == "chat" and not templated:
        raise LabError("chat_without_template", file=dataset.name)
    start, end = ([], []) if templated else (_start(tokenizer), _end(tokenizer))
    template = rendering.Template(tokenizer, dataset.name) if templated else None
    render = template.render if template else rendering.plain
    for examples in _chunks(dataset.examples):
        texts = [render(example) for example in examples]
        batch = tokenizer(
            [rendered.text for rendered in texts],
            add_special_tokens=False,
            return_offsets_mapping=True,
            return_attention_mask=False,
            verbose=False,
        )
        for i, (example, rendered) in enumerate(zip(examples, texts, strict=True)):
            marks = _marks(batch["offset_mapping"][i], rendered.spans)
            ids = start + batch["input_ids"][i] + end
            marks = [False] * len(start) + marks + [True] * len(end)
            yield _cut(ids, marks, example["row"], max_length)


def _marks(offsets: list[tuple[int, int]], spans: list[tuple[int, int]]) -> list[bool]:
    """Per token whether any of its characters lies in a span.

    A token's characters start where those before it end: some tokenizers leave the space in front
    of a word, and tokens that are all space, out of the offsets they tell.
    """
    marks, before, span = [], 0, 0
    for start, end in offsets:
        start = min(start, before)
        end = before = max(end, before)
        while span < len(spans) and spans[span][1] <= start:
            span += 1
        marks.append(span < len(spans) and start < spans[span][1] and end > spans[span][0])
    return marks


def _all_trained(ids: list[int], row: int, max_length: int) -> Encoded:
    return _cut(ids, [True] * len(ids), row, max_length)


def _cut(ids: list[int], marks: list[bool], row: int, max_length: int) -> Encoded:
    marks[0] = False  # nothing stands before the first token to foretell it from
    return Encoded(ids[:max_length], marks[:max_length], row, len(ids) > max_length)


def _ids(texts: list[str], tokenizer: Any) -> list[list[int]]:
    return tokenizer(texts, add_special_tokens=False, return_attention_mask=False, verbose=False)[
        "input_ids"
    ]


def _start(tokenizer: Any) -> list[int]:
    """The beginning token, where this model's texts begin with one."""
    begins = tokenizer.bos_token_id is not None
    return [tokenizer.bos_token_id] if begins and _begun(tokenizer) else []


def _begun(tokenizer: Any) -> bool:
    return tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]


def _end(tokenizer: Any) -> list[int]:
    return [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]


def _chunks(examples: list) -> Iterable[list]:
    return (examples[at : at + AT_ONCE] for at in range(0, len(examples), AT_ONCE))
