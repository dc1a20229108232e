"""What an adapter's loss is measured on: the part of its run's data that was held out."""

from __future__ import annotations

import filecmp
from pathlib import Path

from lora_lab.data import tokenising
from lora_lab.data.dataset import Dataset
from lora_lab.errors import LabError
from lora_lab.evaluation.comparing import Text
from lora_lab.lora import peft_format
from lora_lab.runs import folder
from lora_lab.runs.folder import Run

WEIGHTS = (peft_format.TENSORS, "model.safetensors")  # an adapter's, a whole model's


def heldout(adapters: list[Path]) -> list[Text]:
    """The held-out texts of the runs that made the adapters and are still here, each once."""
    texts: dict[tuple[str, int], Text] = {}
    for adapter in adapters:
        run = _maker(adapter)
        if run is not None:
            text = _text(run)
            texts.setdefault((text.dataset.fingerprint, text.max_length), text)
    return list(texts.values())


def _maker(adapter: Path) -> Run | None:
    """The run that made the adapter: the one it names, if that one's adapter is this very one.

    (An adapter's file may name any run; it must not open somebody else's data.)
    """
    try:
        run = folder.find(str(peft_format.facts(adapter).get("id")))
    except LabError:
        return None
    names = [name for name in WEIGHTS if (run.adapter / name).is_file()]
    same = [_alike(adapter / name, run.adapter / name) for name in names]
    return run if same and all(same) else None


def _alike(mine: Path, made: Path) -> bool:
    return mine.is_file() and filecmp.cmp(mine, made, shallow=False)


def _text(run: Run) -> Text:
    settings = run.settings
    _, kept_out = tokenising.split(Dataset.load(run.data), settings.heldout_share, settings.seed)
    return Text(kept_out, settings.max_length)
