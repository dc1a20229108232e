"""What the model will see: the very tokens, each piece marked as trained on or context."""

from __future__ import annotations

from typing import Any, TypedDict

from lora_lab.config import Settings
from lora_lab.data.dataset import Dataset
from lora_lab.data.tokenising import Encoded, encode, split

EXAMPLES = 3  # shown; the counts are of all
UNFINISHED = "\ufffd"  # what decoding gives for bytes that are not a whole character yet


class Shown(TypedDict):
    """One sequence. pieces: (text, trained on) whose texts join to exactly what the ids decode to.

    A piece is a token, or several where a character spreads over more than one.
    """

    row: int
    pieces: list[tuple[str, bool]]
    tokens: int
    supervised: int
    cut: bool


class Preview(TypedDict):
    """rows: sequences, held-out ones among them; rows_cut: how many of these were longer than
    max_length; left_out: examples whose trained part lies whole behind the cut."""

    name: str
    shape: str
    columns: dict[str, str]
    examples: list[Shown]
    rows: int
    heldout_rows: int
    rows_cut: int
    left_out: int
    tokens: int
    supervised: int
    supervised_share: float
    mean_tokens: float
    longest: int


def preview(dataset: Dataset, tokenizer: Any, settings: Settings) -> Preview:
    """The first examples as the model will see them, and the counts of the whole dataset."""
    train, heldout = (
        encode(part, tokenizer, settings.max_length)
        for part in split(dataset, settings.heldout_share, settings.seed)
    )
    rows = train + heldout
    tokens = sum(len(row.ids) for row in rows)
    supervised = sum(sum(row.supervised) for row in rows)
    left_out = 0 if dataset.shape == "stream" else len(dataset.examples) - len(rows)
    return {
        "name": dataset.name,
        "shape": dataset.shape,
        "columns": dataset.columns,
        "examples": [_shown(row, tokenizer) for row in train[:EXAMPLES]],
        "rows": len(rows),
        "heldout_rows": len(heldout),
        "rows_cut": sum(row.cut for row in rows),
        "left_out": left_out,
        "tokens": tokens,
        "supervised": supervised,
        "supervised_share": supervised / tokens,
        "mean_tokens": tokens / len(rows),
        "longest": max(len(row.ids) for row in rows),
    }


def pieces(encoded: Encoded, tokenizer: Any) -> list[tuple[str, bool]]:
    """(text, trained on) of each token; texts join to exactly what the ids decode to."""
    whole = _decode(tokenizer, encoded.ids)
    ends = _quick_ends(encoded.ids, tokenizer)
    if "".join(text for text, _ in ends) != whole:
        ends = _careful_ends(encoded.ids, tokenizer, whole)
    starts = [0, *(end for _, end in ends)]
    return [
        (text, any(encoded.supervised[start:end]))
        for (text, end), start in zip(ends, starts, strict=False)
    ]


def _quick_ends(ids: list[int], tokenizer: Any) -> list[tuple[str, int]]:
    """Each piece's text and the number of tokens up to its end, decoding a few tokens at a time."""
    found: list[tuple[str, int]] = []
    before, start = 0, 0
    for end in range(1, len(ids) + 1):
        # Decoded behind the piece before it, for some tokenizers drop the space of a first word.
        known = _decode(tokenizer, ids[before:start])
        text = _decode(tokenizer, ids[before:end])
        if end < len(ids) and (text.endswith(UNFINISHED) or not text.startswith(known)):
            continue
        found.append((text[len(known) :], end))
        before, start = start, end
    return found


def _careful_ends(ids: list[int], tokenizer: Any, whole: str) -> list[tuple[str, int]]:
    """The same by decoding from the first token each time: for tokenizers where a character that
    is cut short spoils others before it (as Llama 2's bytes do)."""
    found: list[tuple[str, int]] = []
    known = ""
    for end in range(1, len(ids) + 1):
        text = whole if end == len(ids) else _decode(tokenizer, ids[:end])
        if whole.startswith(text) and (end == len(ids) or not text.endswith(UNFINISHED)):
            found.append((text[len(known) :], end))
            known = text
    return found


def _shown(encoded: Encoded, tokenizer: Any) -> Shown:
    return {
        "row": encoded.row,
        "pieces": pieces(encoded, tokenizer),
        "tokens": len(encoded.ids),
        "supervised": sum(encoded.supervised),
        "cut": encoded.cut,
    }


def _decode(tokenizer: Any, ids: list[int]) -> str:
    return tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
