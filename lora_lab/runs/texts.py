"""What an adapter's loss is measured on: the part of its run's data that was held out."""

from __future__ import annotations

import filecmp
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_lab.config import Settings
from lora_lab.data import tokenising
from lora_lab.data.dataset import Dataset
from lora_lab.errors import LabError
from lora_lab.evaluation.comparing import Text
from lora_lab.lora import peft_format
from lora_lab.runs import arms, folder
from lora_lab.runs.folder import Run

WEIGHTS = (peft_format.TENSORS, "model.safetensors")  # an adapter's, a whole model's


def heldout(adapters: list[Path]) -> list[Text]:
    """The held-out texts of the runs that made the adapters and are still here, each once."""
    texts: dict[tuple[str, int], Text] = {}
    for adapter in adapters:
        made = _maker(adapter)
        if made is not None:
            text = _text(made)
            texts.setdefault((text.dataset.fingerprint, text.max_length), text)
    return list(texts.values())


@dataclass(frozen=True)
class _Made:
    """A training of a run: the whole run, or an arm of an experiment. result, data: its folders."""

    result: Path
    data: Path
    settings: Settings


def _maker(adapter: Path) -> _Made | None:
    """What made the adapter: the run or arm it names, if that one's adapter is this very one.

    (An adapter's file may name any run; it must not open somebody else's data.)
    """
    facts = peft_format.facts(adapter)
    try:
        run = folder.find(str(facts.get("id")))
    except LabError:
        return None
    made = _arm(run, facts.get("arm")) if "experiment" in run.config else _whole(run)
    if made is None:
        return None
    names = [name for name in WEIGHTS if (made.result / name).is_file()]
    same = [_alike(adapter / name, made.result / name) for name in names]
    return made if same and all(same) else None


def _whole(run: Run) -> _Made:
    return _Made(run.adapter, run.data, run.settings)


def _arm(run: Run, number: Any) -> _Made | None:
    known = arms.arms_of(run)
    if not isinstance(number, int) or not 0 <= number < len(known):
        return None
    settings = known[number].settings(run.settings)
    data = arms.data_folder(run, settings)
    return _Made(arms.adapter_folder(run, number), data, settings)


def _alike(mine: Path, made: Path) -> bool:
    return mine.is_file() and filecmp.cmp(mine, made, shallow=False)


def _text(made: _Made) -> Text:
    share, seed = made.settings.heldout_share, made.settings.seed
    _, kept_out = tokenising.split(Dataset.load(made.data), share, seed)
    return Text(kept_out, made.settings.max_length)
