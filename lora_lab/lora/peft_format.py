"""An adapter as a folder, in PEFT's format, so that it loads anywhere and theirs load here.

adapter_model.safetensors   base_model.model.<path>.lora_A.weight [r, in], lora_B [out, r]
adapter_config.json         rank, alpha, targets, base
README.md                   the model card
lora_lab.json               what the lab knows besides: base hash, held-out losses, settings
prefix/                     the prefix beside LoRA, a folder of its own (peft_prefix.py)
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from lora_lab import words
from lora_lab.errors import LabError
from lora_lab.lora import peft_prefix
from lora_lab.lora.adapter import Adapter
from lora_lab.lora.counting import magnitude_name, tensor_name
from lora_lab.lora.peft_config import Config, read_json
from lora_lab.lora.peft_tensors import read_tensors
from lora_lab.lora.targets import last_name

CONFIG, TENSORS, CARD, FACTS = (
    "adapter_config.json",
    "adapter_model.safetensors",
    "README.md",
    "lora_lab.json",
)


def save(folder: Path, adapter: Adapter, base_name: str, facts: dict[str, Any]) -> None:
    """Write the four files, each whole or not at all; an adapter saved there before is replaced.

    base_name: a Hub id or the folder of the base, for peft to find it. facts: JSON-able.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / peft_prefix.FOLDER, ignore_errors=True)
    if adapter.prefix is not None:
        _save_prefix(folder, adapter, base_name)
    write_facts(folder, facts)
    if not adapter.tensors:
        return
    tensors = {
        tensor_name(path, side, path in adapter.embeddings): tensor.contiguous()
        for path, pair in adapter.tensors.items()
        for side, tensor in zip("AB", pair, strict=True)
    }
    tensors |= {magnitude_name(path): m.contiguous() for path, m in adapter.magnitudes.items()}
    _whole(folder / TENSORS, lambda file: save_file(tensors, file, metadata={"format": "pt"}))
    texts = {
        CONFIG: _json(_config(adapter, base_name)),
        CARD: _card(adapter, base_name),
    }
    for name, text in texts.items():
        _whole(folder / name, partial(Path.write_text, data=text, encoding="utf-8"))


def load(folder: Path) -> Adapter:
    """The adapter in folder, made here or by peft. Trusts nothing in it; raises LabError with why.

    Patterns decide each matrix's rank and alpha as in peft; its rank must be what its tensors say.
    """
    if not (folder / CONFIG).is_file():
        raise LabError("adapter_no_config", file=folder.name)
    if read_json(folder / CONFIG).get("peft_type") == peft_prefix.KIND:
        return Adapter(rank=0, alpha=0, tensors={}, prefix=_load_prefix(folder))
    config = Config.read(folder / CONFIG)
    _check_tensors(folder)
    read = read_tensors(folder / TENSORS, config.rank_of, config.with_magnitudes)
    alphas = {path: config.alpha_of(path) for path in read.pairs}
    inner = folder / peft_prefix.FOLDER
    return Adapter(
        rank=config.rank,
        alpha=config.alpha,
        tensors=read.pairs,
        alphas={path: alpha for path, alpha in alphas.items() if alpha != config.alpha},
        dropout=config.dropout,
        rank_stabilised=config.rank_stabilised,
        fan_in_fan_out=config.fan_in_fan_out,
        magnitudes=read.magnitudes,
        embeddings=read.embeddings,
        brought=read.brought,
        prefix=_load_prefix(inner) if (inner / CONFIG).is_file() else None,
    )


def facts(folder: Path) -> dict[str, Any]:
    """What the lab wrote beside the adapter; empty for one made elsewhere."""
    return read_json(folder / FACTS) if (folder / FACTS).is_file() else {}


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    """What the lab knows of the adapter, or of the model, in folder. facts: JSON-able."""
    write = partial(Path.write_text, data=_json(facts), encoding="utf-8")
    _whole(folder / FACTS, write)


def _check_tensors(folder: Path) -> None:
    if not (folder / TENSORS).is_file():
        pickled = any(folder.glob("*.bin"))
        raise LabError("adapter_pickle" if pickled else "adapter_no_tensors", file=folder.name)


def _save_prefix(folder: Path, adapter: Adapter, base_name: str) -> None:
    """The prefix in folder itself, or beside LoRA in a folder inside."""
    at, prefix = folder / peft_prefix.FOLDER if adapter.tensors else folder, adapter.prefix
    assert prefix is not None
    at.mkdir(exist_ok=True)
    tensors = peft_prefix.tensors(prefix)
    _whole(at / TENSORS, lambda file: save_file(tensors, file, metadata={"format": "pt"}))
    told = {"base": base_name, "tokens": len(prefix), "trainable": prefix.numel()}
    card = _front(base_name) + words.say("prefix.card", **told) + "\n"
    for name, text in ((CONFIG, _json(peft_prefix.config(prefix, base_name))), (CARD, card)):
        _whole(at / name, partial(Path.write_text, data=text, encoding="utf-8"))


def _load_prefix(folder: Path) -> Tensor:
    _check_tensors(folder)
    return peft_prefix.read(folder / TENSORS, read_json(folder / CONFIG))


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
        "use_dora": bool(adapter.magnitudes),
        "fan_in_fan_out": adapter.fan_in_fan_out,
        "bias": "none",
        "init_lora_weights": True,
        "inference_mode": True,
    }


def _whole_number(alpha: float) -> float:
    """16 for 16.0: other readers take alpha for an integer."""
    return int(alpha) if alpha == int(alpha) else alpha


def _card(adapter: Adapter, base_name: str) -> str:
    body = words.say(
        "lora.card",
        base=base_name,
        rank=adapter.rank,
        alpha=adapter.alpha,
        matrices=len(adapter.tensors),
        names=", ".join(sorted(set(map(last_name, adapter.tensors)))),
        trainable=adapter.numbers,
    )
    if adapter.prefix is not None:
        body += "\n" + words.say("prefix.card_nested", tokens=len(adapter.prefix))
    return _front(base_name) + body + "\n"


def _front(base_name: str) -> str:
    # On the Hub, base_model must be a Hub id; a folder there is an error, so it stands in the text.
    on_hub = base_name.count("/") == 1 and not Path(base_name).exists()
    front = ["---", "library_name: peft", "tags: [lora, lora-lab]"]
    front += [f"base_model: {json.dumps(base_name)}"] if on_hub else []
    return "\n".join([*front, "---", "", ""])


def _json(told: dict[str, Any]) -> str:
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _whole(file: Path, write: Callable[[Path], Any]) -> None:
    part = file.with_name(file.name + ".part")
    write(part)
    part.replace(file)
