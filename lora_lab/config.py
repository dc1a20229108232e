"""What can be set, once: the fields below make the page's widgets, the command line's flags and
the docs, and a run's config.json is made of them.

A field's label and its line of help live in the table of words (`setting.rank.label`,
`setting.rank.help`); its range, choices and group stand here.
"""

from __future__ import annotations

import dataclasses
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from lora_lab.errors import LabError


def home() -> Path:
    """The folder that holds runs, models and uploads: $LORA_LAB_HOME, else ~/.lora-lab."""
    return Path(os.environ.get("LORA_LAB_HOME") or Path.home() / ".lora-lab").absolute()


def assets() -> Path:
    """What ships in the box: the tiny model, the sample datasets."""
    return Path(__file__).parent.parent / "assets"


# What a run measures and shows besides its steps; the forecast counts the same.
HELDOUT_ROWS = 64  # as many as give a steady mean and do not hold the training up
SAMPLE_TOKENS = 48
LONGEST_TEXT = 10_000  # characters of a setting

METHODS = ("lora", "dora", "prefix", "lora-prefix", "full")
INITS = ("gaussian", "zeros", "both-gaussian", "pissa")
PRECISIONS = ("float32", "bfloat16")
MIXINGS = ("sum", "ties", "dare")  # how several adapters become one


def _set(
    default: Any,
    group: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    return field(
        default=default, metadata={"group": group, "low": low, "high": high, "choices": choices}
    )


@dataclass(frozen=True)
class _Checked:
    """What a person sets; a field's words stand under `<words>.<name>.label` and `.help`."""

    words: ClassVar[str]

    def checked(self) -> Self:
        """Self, once every value is of its type, inside its range and one of its choices.

        Raises LabError naming the setting and what it may be.
        """
        fields = dataclasses.fields(self)
        return dataclasses.replace(self, **{f.name: self._one(f) for f in fields})

    def _one(self, f: dataclasses.Field) -> Any:
        value, name = getattr(self, f.name), {"say": f"{self.words}.{f.name}.label"}
        low, high, choices = (f.metadata[each] for each in ("low", "high", "choices"))
        if type(f.default) is not str:
            return number(name, value, type(f.default), low, high)
        return choice(name, value, choices) if choices else text(name, value)


@dataclass(frozen=True)
class Sampling(_Checked):
    """How long an answer may be, and how each of its tokens is chosen (evaluation/choosing.py)."""

    words: ClassVar[str] = "compare"

    max_new_tokens: int = _set(100, "sampling", 1, 4096)
    temperature: float = _set(0.7, "sampling", 0, 5)  # 0: always the likeliest token
    top_p: float = _set(0.95, "sampling", 0.01, 1)
    seed: int = _set(0, "sampling", 0, 2**31 - 1)


@dataclass(frozen=True)
class Settings(_Checked):
    """Everything a person sets for one run. Units: tokens, rows, steps; rates are unitless."""

    words: ClassVar[str] = "setting"

    # What is trained: a catalogue name, a Hub id (owner/name), a folder or a .gguf file.
    model: str = _set("tiny-stories", "model")

    # On what: a sample's name or a file; which columns; what part is held out for the loss.
    data: str = _set("pirate-stories", "data")
    shape: str = _set("auto", "data", choices=("auto", "text", "prompt", "chat"))
    text_column: str = _set("", "data")
    prompt_column: str = _set("", "data")
    response_column: str = _set("", "data")
    messages_column: str = _set("", "data")
    heldout_share: float = _set(0.1, "data", 0.01, 0.5)

    # What is trained beside the frozen base, or (full) instead of freezing it.
    method: str = _set("lora", "adapter", choices=METHODS)

    # The adapter: W0 x + (alpha / rank) B A x on the target matrices.
    rank: int = _set(8, "adapter", 1, 256)
    alpha: float = _set(16.0, "adapter", 0.1, 1024)
    targets: str = _set("linear", "adapter")
    dropout: float = _set(0.0, "adapter", 0, 0.9)
    scaling: str = _set("plain", "adapter", choices=("plain", "rank-stabilised"))
    init: str = _set("gaussian", "adapter", choices=INITS)
    rate_ratio: float = _set(1.0, "adapter", 1, 64)  # B's learning rate over A's (LoRA+)
    prefix_tokens: int = _set(16, "adapter", 1, 256)

    # The training loop.
    steps: int = _set(100, "training", 1, 100_000)
    learning_rate: float = _set(0.0, "training", 0, 1)  # 0: what suits the model (work.py)
    batch_size: int = _set(8, "training", 1, 512)
    accumulation: int = _set(1, "training", 1, 256)
    max_length: int = _set(256, "training", 8, 8192)
    warmup_share: float = _set(0.05, "training", 0, 0.5)
    clip: float = _set(1.0, "training", 0.01, 1000)
    weight_decay: float = _set(0.0, "training", 0, 1)
    patience: int = _set(0, "training", 0, 1000)
    seed: int = _set(0, "training", 0, 2**31 - 1)

    # What is watched while it trains.
    evaluate_every: int = _set(20, "watching", 1, 100_000)
    sample_every: int = _set(25, "watching", 1, 100_000)
    sample_prompt: str = _set("", "watching")
    checkpoint_every: int = _set(20, "watching", 1, 100_000)

    # The machine.
    device: str = _set("auto", "machine", choices=("auto", "cpu", "cuda", "mps"))
    precision: str = _set("auto", "machine", choices=("auto", *PRECISIONS))
    threads: int = _set(0, "machine", 0, 1024)


def from_json(told: dict[str, Any]) -> Settings:
    """Settings from a config.json or an API call; a field left out takes its default."""
    known = {f.name for f in dataclasses.fields(Settings)}
    settings = isinstance(told, dict)
    for name in told if settings else [told]:
        if not settings or name not in known:
            shown, choices = str(name)[:60], ", ".join(sorted(known))
            raise LabError("unknown_setting", value=shown, choices=choices)
    return Settings(**told).checked()


# Pages, programs and files tell what they like. An error calls the value `name`: a text, or
# {"say": its key}.


def choice(name: Any, value: Any, choices: tuple[str, ...]) -> str:
    """value, once it is one of choices; raises LabError("setting_not_a_choice")."""
    if value not in choices:
        shown, known = str(value)[:60], ", ".join(choices)
        raise LabError("setting_not_a_choice", name=name, value=shown, choices=known)
    return value


def text(name: Any, value: Any) -> str:
    """value, once it is a text of usual length; raises LabError("setting_not_a_text")."""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise LabError("setting_not_a_text", name=name, most=LONGEST_TEXT)
    return value


def number(name: Any, value: Any, kind: type, low: float, high: float) -> Any:
    """value as kind (int or float), once it is a number from low to high.

    Raises LabError("setting_not_a_number", "setting_out_of_range").
    """
    try:
        told = float(value)
    except (TypeError, ValueError, OverflowError):
        told = math.nan
    if not math.isfinite(told) or isinstance(value, bool) or kind(told) != told:
        shown = str(value)[:60]
        raise LabError("setting_not_a_number", name=name, value=shown, low=low, high=high)
    if not low <= told <= high:
        raise LabError("setting_out_of_range", name=name, value=kind(told), low=low, high=high)
    return kind(told)
