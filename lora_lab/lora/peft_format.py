"""An adapter as a folder, in PEFT's format, so that it loads anywhere and theirs load here.

adapter_model.safetensors   base_model.model.<path>.lora_A.weight [r, in], lora_B [out, r]
adapter_config.json         rank, alpha, targets, base
README.md                   the model card
lora_lab.json               what the lab knows besides: base hash, held-out losses, settings
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from lora_lab import words
from lora_lab.errors import LabError
from lora_lab.lora.adapter import Adapter
from lora_lab.lora.counting import tensor_name
from lora_lab.lora.peft_config import Config, read_json
from lora_lab.lora.peft_tensors import read_tensors

CONFIG, TENSORS, CARD, FACTS = (
    "adapter_config.json",
    "adapter_model.safetensors",
    "README.md",
    "lora_lab.json",
)


def save(
    folder: Path, adapter: Adapter, base_name: str, facts: dict[str, Any], language: str = "en"
) -> None:
    """Write the four files, each whole or not at all; an adapter saved there before is replaced.

    base_name: a Hub id or the folder of the base, for peft to find it. facts: JSON-able.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        tensor_name(path, side): tensor.contiguous()
        for path, pair in adapter.tensors.items()
        for side, tensor in zip("AB", pair, strict=True)
    }
    _whole(folder / TENSORS, lambda file: save_file(tensors, file, metadata={"format": "pt"}))
    write_facts(folder, facts)
    texts = {
        CONFIG: _json(_config(adapter, base_name)),
        CARD: _card(adapter, base_name, language),
    }
    for name, text in texts.items():
        _whole(folder / name, partial(Path.write_text, data=text, encoding="utf-8"))


def load(folder: Path) -> Adapter:
    """The adapter in folder, made here or by peft. Trusts nothing in it; raises LabError with why.

    Patterns decide each matrix's rank and alpha as in peft; its rank must be what its tensors say.
    """
    if not (folder / CONFIG).is_file():
        raise LabError("adapter_no_config", file=folder.name)
    config = Config.read(folder / CONFIG)
    if not (folder / TENSORS).is_file():
        pickled = any(folder.glob("*.bin"))
        raise LabError("adapter_pickle" if pickled else "adapter_no_tensors", file=folder.name)
    tensors = read_tensors(folder / TENSORS, config.rank_of)
    alphas = {path: config.alpha_of(path) for path in tensors}
    return Adapter(
        rank=config.rank,
        alpha=config.alpha,
        tensors=tensors,
        alphas={path: alpha for path, alpha in alphas.items() if alpha != config.alpha},
        dropout=config.dropout,
        rank_stabilised=config.rank_stabilised,
        fan_in_fan_out=config.fan_in_fan_out,
    )


def facts(folder: Path) -> dict[str, Any]:
    """What the lab wrote beside the adapter; empty for one made elsewhere."""
    return read_json(folder / FACTS) if (folder / FACTS).is_file() else {}


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    """What the lab knows of the adapter, or of the model, in folder. facts: JSON-able."""
    write = partial(Path.write_text, data=_json(facts), encoding="utf-8")
    _whole(folder / FACTS, write)


def _config(adapter: Adapter, base_name: str) -> dict[str, Any]:
    ranks = {path: A.shape[0] for path, (A, _) in adapter.tensors.items()}
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_name,
        "r": adapter.rank,
        "lora_alpha": _whole_number(adapter.alpha),
        "lora_dropout": adapter.dropout,
        "target_modules": adapter.targets,
        "rank_pattern": {path: rank for path, rank in ranks.items() if rank != adapter.rank},
        "alpha_pattern": {path: _whole_number(a) for path, a in adapter.alphas.items()},
        "use_rslora": adapter.rank_stabilised,
        "fan_in_fan_out": adapter.fan_in_fan_out,
        "bias": "none",
        "init_lora_weights": True,
        "inference_mode": True,
    }


def _whole_number(alpha: float) -> float:
    """16 for 16.0: other readers take alpha for an integer."""
    return int(alpha) if alpha == int(alpha) else alpha


def _card(adapter: Adapter, base_name: str, language: str) -> str:
    # On the Hub, base_model must be a Hub id; a folder there is an error, so it stands in the text.
    on_hub = base_name.count("/") == 1 and not Path(base_name).exists()
    front = ["---", "library_name: peft", "tags: [lora, lora-lab]"]
    front += [f"base_model: {json.dumps(base_name)}"] if on_hub else []
    body = words.say(
        "lora.card",
        language,
        base=base_name,
        rank=adapter.rank,
        alpha=adapter.alpha,
        matrices=len(adapter.tensors),
        names=", ".join(sorted({path.rpartition(".")[2] for path in adapter.tensors})),
        trainable=sum(A.numel() + B.numel() for A, B in adapter.tensors.values()),
    )
    return "\n".join([*front, "---", "", body, ""])


def _json(told: dict[str, Any]) -> str:
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _whole(file: Path, write: Callable[[Path], Any]) -> None:
    part = file.with_name(file.name + ".part")
    write(part)
    part.replace(file)
