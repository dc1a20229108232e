"""Base and adapters side by side: their answers in step, then their figures.

What is told are events, JSON-able all of them; column 0 is the base, then the adapters in order:

    {"kind": "progress", "phase": "loading"}
    {"kind": "warning", "column": 1, "key": "compare.…", "facts": {…}}   odd, but no fault
    {"kind": "pieces", "pieces": [Piece as a dict, …]}                   one a step
    {"kind": "figures", "ms_per_token": [a column] | None,
     "heldout": [{"name", "rows", "losses": [a column, None while unknown]}, …]}   fuller each time
    {"kind": "end", "seconds": 12.3}
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lora_lab.config import HELDOUT_ROWS
from lora_lab.data import tokenising
from lora_lab.data.dataset import Dataset
from lora_lab.errors import LabError
from lora_lab.evaluation import loaded
from lora_lab.evaluation.generating import Column, answering, stream
from lora_lab.evaluation.heldout import heldout_loss
from lora_lab.evaluation.prompting import prompt_ids
from lora_lab.evaluation.timing import ms_per_token
from lora_lab.lora import peft_format
from lora_lab.models import sources

MOST_ANSWERS = 64  # prompts × columns: all are written in one pass
TIMED_TOKENS = 64  # of the first prompt, as much as the timing reads
Adapters = list[tuple[Path, float]]  # folder and strength
RANGES = {
    "max_new_tokens": (1, 4096),
    "temperature": (0, 5),
    "top_p": (0.01, 1),
    "seed": (0, 2**31 - 1),
    "strength": (-10, 10),
}


@dataclass(frozen=True)
class Place:
    """Where to compute: "cpu", "cuda" or "mps"; in "float32" or "bfloat16"."""

    device: str = "cpu"
    precision: str = "float32"


@dataclass(frozen=True)
class Text:
    """What losses are measured on: rows that no training saw, cut at max_length tokens.

    most: so many rows at most, the first ones; None for all.
    """

    dataset: Dataset
    max_length: int
    most: int | None = HELDOUT_ROWS

    def rows(self, tokenizer: Any) -> list[tokenising.Encoded]:
        first = self.dataset.of(self.dataset.examples[: self.most])
        return tokenising.encode(first, tokenizer, self.max_length)[: self.most]


def compare(
    model: str,
    adapters: Adapters,
    prompts: list[str],
    texts: list[Text],
    place: Place,
    *,
    max_new_tokens: int = 100,
    temperature: float = 0.7,
    top_p: float = 0.95,
    seed: int = 0,
    system: str = "",
    measure: bool = True,
) -> Iterator[dict[str, Any]]:
    """Events (see above). model: as sources.fetch takes it. measure: whether figures follow.

    Raises LabError: a setting out of range, an adapter that cannot be read or whose shapes do not
    fit, a prompt that is empty or too long, whatever loading the model can raise.
    """
    began = time.monotonic()
    adapters = [(folder, _number("strength", strength)) for folder, strength in adapters]
    most, seed = int(_number("max_new_tokens", max_new_tokens)), int(_number("seed", seed))
    temperature, top_p = _number("temperature", temperature), _number("top_p", top_p)
    if not prompts or not all(isinstance(prompt, str) for prompt in prompts):
        raise LabError("prompt_empty")
    if len(prompts) * (1 + len(adapters)) > MOST_ANSWERS:
        raise LabError("too_many_answers", prompts=len(prompts), most=MOST_ANSWERS)
    asks = _asks(adapters)
    yield {"kind": "progress", "phase": "loading"}
    base = loaded.base(sources.fetch(model), place.device, place.precision)
    with loaded.attached(base, [folder for folder, _ in adapters]) as routing:
        yield from _warnings(base, adapters)
        columns = _columns(adapters)
        for pieces in stream(
            base.model,
            base.tokenizer,
            routing,
            prompts,
            columns,
            most,
            temperature,
            top_p,
            seed,
            system=system,
            asks=asks,
        ):
            yield {"kind": "pieces", "pieces": [asdict(piece) for piece in pieces]}
        if measure:
            ids = prompt_ids(base.tokenizer, prompts[0], system, asks)
            times = ms_per_token(base.model, routing, ids[:TIMED_TOKENS], columns)
            yield from _figures(base, routing, adapters, texts, times)
    yield {"kind": "end", "seconds": time.monotonic() - began}


def evaluate(
    model: str, adapters: Adapters, texts: list[Text], place: Place
) -> Iterator[dict[str, Any]]:
    """The held-out losses alone: compare's events without the pieces."""
    began = time.monotonic()
    adapters = [(folder, _number("strength", strength)) for folder, strength in adapters]
    yield {"kind": "progress", "phase": "loading"}
    base = loaded.base(sources.fetch(model), place.device, place.precision)
    with loaded.attached(base, [folder for folder, _ in adapters]) as routing:
        yield from _warnings(base, adapters)
        yield from _figures(base, routing, adapters, texts, None)
    yield {"kind": "end", "seconds": time.monotonic() - began}


def _figures(
    base: loaded.Base,
    routing: Any,
    adapters: Adapters,
    texts: list[Text],
    times: list[float] | None,
) -> Iterator[dict[str, Any]]:
    """Figures, told anew each time one more is known."""
    columns = _columns(adapters)
    heldout: list[dict[str, Any]] = [
        {
            "name": text.dataset.name,
            "rows": len(text.rows(base.tokenizer)),
            "losses": [None] * len(columns),
        }
        for text in texts
    ]
    told = {"kind": "figures", "ms_per_token": times, "heldout": heldout}
    yield told
    for text, figures in zip(texts, heldout, strict=True):
        for place, column in enumerate(columns):
            figures["losses"][place] = _loss(base, routing, column, text)
            yield told


def _loss(base: loaded.Base, routing: Any, column: Column, text: Text) -> float:
    """The loss of a column on a text; found once for as long as neither changes."""
    adapter = column and (column, loaded.stamp(Path(column[0])))
    key = (text.dataset.fingerprint, text.max_length, text.most, adapter)
    if key not in base.losses:
        rows = text.rows(base.tokenizer)
        with answering(base.model, routing, [column]):
            base.losses[key] = heldout_loss(base.model, rows)
    return base.losses[key]


def _warnings(base: loaded.Base, adapters: Adapters) -> Iterator[dict[str, Any]]:
    """The same model from two sources is not the same bits: say where an adapter's base differs."""
    for column, (folder, _) in enumerate(adapters, 1):
        made_on = _told(folder, "base")
        warning = {"kind": "warning", "column": column}
        if "hash" not in made_on:
            yield {**warning, "key": "compare.base_unchecked", "facts": {"adapter": folder.name}}
        elif made_on["hash"] != base.hash:
            facts = {"made_on": str(made_on.get("source")), "here": base.local.source}
            yield {**warning, "key": "compare.base_differs", "facts": facts}


def _asks(adapters: Adapters) -> bool | None:
    """True where an adapter learned to answer; else the model's own way, a chat's or a text's."""
    learned = [_told(folder, "data").get("shape") for folder, _ in adapters]
    return True if "prompt" in learned or "chat" in learned else None


def _told(folder: Path, name: str) -> dict[str, Any]:
    """A part of what the lab wrote beside an adapter; empty where it is missing or no object."""
    part = peft_format.facts(folder).get(name)
    return part if isinstance(part, dict) else {}


def _columns(adapters: Adapters) -> list[Column]:
    return [None, *((str(folder), strength) for folder, strength in adapters)]


def _number(name: str, value: Any) -> float:
    """value, once it is a number in its range: these come straight from pages and programs."""
    low, high = RANGES[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise LabError("setting_not_a_number", name=name, value=str(value)[:60], low=low, high=high)
    if not low <= value <= high:
        raise LabError("setting_out_of_range", name=name, value=str(value), low=low, high=high)
    return value
