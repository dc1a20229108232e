"""Base and adapters side by side: their answers in step, then their figures. A model that was
wholly fine-tuned is a column like an adapter's.

What is told are events, JSON-able all of them; column 0 is the base, then the adapters in order:

    {"kind": "progress", "phase": "loading"}
    {"kind": "warning", "column": 1, "key": "compare.…", "facts": {…}}   odd, but no fault
    {"kind": "pieces", "pieces": [Piece as a dict, …]}                   one a step
    {"kind": "figures", "ms_per_token": [a column] | None,
     "heldout": [{"name", "rows", "losses": [a column, None while unknown]}, …],
     "base_text": the same of the base's own kind of text: what a column forgot}   fuller each time
    {"kind": "end", "seconds": 12.3}
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from lora_lab.config import HELDOUT_ROWS, Sampling, number
from lora_lab.data import tokenising
from lora_lab.data.dataset import Dataset
from lora_lab.errors import LabError
from lora_lab.evaluation import forgetting, loaded, timing
from lora_lab.evaluation.generating import Asked, Part, answering, in_step
from lora_lab.evaluation.heldout import heldout_loss
from lora_lab.evaluation.loaded import Voice
from lora_lab.evaluation.prompting import prompt_ids
from lora_lab.lora import peft_format
from lora_lab.models import prefixed, sources

MOST_ADAPTERS = 7  # beside the base: as many columns as can be told apart
MOST_ANSWERS = 64  # prompts × columns: all are written in one pass
TIMED_TOKENS = 64  # of the first prompt, as much as the timing reads
Adapters = list[tuple[Path, float]]  # folder and strength
STRONGEST = 10.0  # times as trained, or as much turned round


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
    sampling: Sampling,
    *,
    system: str = "",
    measure: bool = True,
) -> Iterator[dict[str, Any]]:
    """Events (see above). model: as sources.fetch takes it. system: what a chat model is told
    before each prompt. measure: whether figures follow.

    Raises LabError: a setting out of range, more columns than MOST_ADAPTERS beside the base, an
    adapter that cannot be read or whose shapes do not fit, a prompt that is empty or too long,
    whatever loading the model can raise.
    """
    began = time.monotonic()
    adapters = _checked(adapters, prompts)
    asked = Asked(prompts, sampling.checked(), system, _asks(adapters))
    yield {"kind": "progress", "phase": "loading"}
    base = loaded.base(sources.fetch(model), place.device, place.precision)
    with loaded.voices(base, adapters) as voices:
        yield from _warnings(base, adapters)
        for pieces in in_step(_parts(voices), base.tokenizer, asked):
            yield {"kind": "pieces", "pieces": [asdict(piece) for piece in pieces]}
        if measure:
            yield from _figures(voices, texts, _times(voices, asked))
    yield {"kind": "end", "seconds": time.monotonic() - began}


def evaluate(
    model: str, adapters: Adapters, texts: list[Text], place: Place
) -> Iterator[dict[str, Any]]:
    """The losses alone: compare's events without the pieces."""
    began = time.monotonic()
    adapters = _checked(adapters, None)
    yield {"kind": "progress", "phase": "loading"}
    base = loaded.base(sources.fetch(model), place.device, place.precision)
    with loaded.voices(base, adapters) as voices:
        yield from _warnings(base, adapters)
        yield from _figures(voices, texts, None)
    yield {"kind": "end", "seconds": time.monotonic() - began}


def _checked(adapters: Adapters, prompts: list[str] | None) -> Adapters:
    """The adapters, once their strengths are numbers and there are not too many answers to give."""
    told = [(folder, _strength(strength)) for folder, strength in adapters]
    if len(told) > MOST_ADAPTERS:
        raise LabError("too_many_columns", adapters=len(told), most=MOST_ADAPTERS)
    if prompts is None:
        return told
    if not prompts or not all(isinstance(prompt, str) for prompt in prompts):
        raise LabError("prompt_empty")
    if len(prompts) * (1 + len(told)) > MOST_ANSWERS:
        raise LabError("too_many_answers", prompts=len(prompts), most=MOST_ANSWERS)
    return told


def _parts(voices: list[Voice]) -> list[Part]:
    """The columns of each model together."""
    models = {id(voice.base): voice for voice in voices}
    parts = []
    for key, voice in models.items():
        places = [place for place, other in enumerate(voices) if id(other.base) == key]
        columns = [voices[place].column for place in places]
        parts.append(Part(voice.base.model, voice.routing, columns, places))
    return parts


def _times(voices: list[Voice], asked: Asked) -> list[float]:
    """Milliseconds a token of each column."""
    tokenizer = voices[0].base.tokenizer
    ids = prompt_ids(tokenizer, asked.prompts[0], asked.system, asked.asks)
    ways = [timing.Way(voice.base.model, voice.routing, voice.column) for voice in voices]
    return [median(times) for times in timing.taken(ways, ids[:TIMED_TOKENS], timing.STEPS)]


def _figures(
    voices: list[Voice], texts: list[Text], times: list[float] | None
) -> Iterator[dict[str, Any]]:
    """Figures, told anew each time one more is known."""
    tokenizer = voices[0].base.tokenizer
    english = Text(forgetting.stories(), forgetting.MOST_TOKENS, None)
    measured = [_readable(text, voices) for text in (*texts, english)]
    every: list[dict[str, Any]] = [
        {
            "name": text.dataset.name,
            "rows": len(text.rows(tokenizer)),
            "losses": [None] * len(voices),
        }
        for text in measured
    ]
    *heldout, base_text = every
    told = {
        "kind": "figures",
        "ms_per_token": times,
        "heldout": heldout,
        "base_text": base_text,
    }
    yield told
    for text, figures in zip(measured, every, strict=True):
        for place, voice in enumerate(voices):
            figures["losses"][place] = _loss(voice, text)
            yield told


def _readable(text: Text, voices: list[Voice]) -> Text:
    """The text, cut where all columns can read it: a prefix takes positions of the context."""
    base = voices[0].base.model
    before = max(prefixed.length(voice.base.model, voice.column) for voice in voices)
    return replace(text, max_length=forgetting.readable(base, text.max_length, before))


def _loss(voice: Voice, text: Text) -> float:
    """The loss of a column on a text; found once for as long as neither changes."""
    base, routing, column = voice
    adapter = column and (column, loaded.stamp(Path(column[0])))
    key = (text.dataset.fingerprint, text.max_length, text.most, adapter)
    if key not in base.losses:
        rows = text.rows(base.tokenizer)
        with answering(base.model, routing, [column]):
            base.losses[key] = heldout_loss(base.model, rows)
    return base.losses[key]


def _warnings(base: loaded.Base, adapters: Adapters) -> Iterator[dict[str, Any]]:
    """The same model from two sources is not the same bits: say where an adapter's base differs.
    And not everything has a dial: say where one was turned in vain."""
    for column, (folder, strength) in enumerate(adapters, 1):
        made_on = _told(folder, "base")
        warning = {"kind": "warning", "column": column}
        if strength not in (0, 1) and not loaded.has_dial(folder):
            yield {**warning, "key": "compare.no_dial", "facts": {"adapter": folder.name}}
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


def _strength(told: Any) -> float:
    return number({"say": "compare.strength.label"}, told, float, -STRONGEST, STRONGEST)
