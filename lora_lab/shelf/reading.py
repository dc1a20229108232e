"""What a card of the shelf shows, read from the small files alone: no tensor, no torch.

Files that came from elsewhere are believed in nothing: a value that is not of its kind is left out.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from lora_lab.config import METHODS
from lora_lab.shelf.entry import Entry
from lora_lab.words import sound

LARGEST_JSON = 1_000_000
CONFIG, FACTS = "adapter_config.json", "lora_lab.json"


def told(entry: Entry) -> dict[str, Any]:
    """JSON-able: what of_folder tells, and id, kind ("run", "imported" or "mixed"), name, tags,
    created, model, and merged (what the last merge gave, or None)."""
    about = entry.about
    return {
        **of_folder(entry.adapter),
        "id": entry.id,
        "kind": "run" if entry.run else about["origin"],
        "name": about.get("name", ""),
        "tags": about.get("tags", []),
        "created": entry.created,
        "model": entry.run.settings.model if entry.run else about["model"],
        "merged": _dict(_object(entry.merged / FACTS), "merged") or None,
    }


def of_folder(folder: Path) -> dict[str, Any]:
    """method, rank, alpha, prefix_tokens, targets, data, heldout_loss_before, heldout_loss, bytes,
    mix (what a mixture was made of) and proof; None where it is not known. name, model: as the
    files tell."""
    facts, config = facts_of(folder), _object(folder / CONFIG)
    result, data = (_dict(facts, name) for name in ("result", "data"))
    base = base_told(folder)
    return {
        "name": folder.name,
        "model": base["model"] or base["name"] or "",
        "method": method(folder),
        "rank": _number(config.get("r")),
        "alpha": _number(config.get("lora_alpha")),
        "prefix_tokens": _prefix_tokens(folder),
        "targets": targets(config),
        "data": _text(data.get("name")),
        "heldout_loss_before": _number(result.get("heldout_loss_before")),
        "heldout_loss": _number(result.get("heldout_loss")),
        "bytes": sum(file.stat().st_size for file in folder.rglob("*.safetensors")),
        "mix": _dict(facts, "mix") or None,
        "proof": _dict(facts, "proof") or None,
    }


def method(folder: Path) -> str | None:
    """Which method made the adapter, or whole model, in folder; one of config.METHODS or None."""
    config = _object(folder / CONFIG)
    if not config:
        return "full" if (folder / "config.json").is_file() else None
    if config.get("peft_type") == "PREFIX_TUNING":
        return "prefix"
    if (folder / "prefix" / CONFIG).is_file():
        return "lora-prefix"
    found = "dora" if config.get("use_dora") is True else "lora"
    return found if found in METHODS else None


def _prefix_tokens(folder: Path) -> float | None:
    """The prefix's length, where there is one: in the folder itself or, beside LoRA, inside it."""
    for config in (_object(folder / CONFIG), _object(folder / "prefix" / CONFIG)):
        if config.get("peft_type") == "PREFIX_TUNING":
            return _number(config.get("num_virtual_tokens"))
    return None


def targets(config: dict[str, Any]) -> list[str]:
    """The last names of the adapted matrices, each once; a pattern as it stands."""
    told = config.get("target_modules")
    if isinstance(told, str):
        return [sound(told[:60])]
    paths = told if isinstance(told, list) else []
    names = [sound(path.rpartition(".")[2][:40]) for path in paths if isinstance(path, str)]
    return sorted(set(names))[:20]


def facts_of(folder: Path) -> dict[str, Any]:
    """What the lab wrote beside an adapter; empty for one made elsewhere."""
    return _object(folder / FACTS)


def base_told(folder: Path) -> dict[str, Any]:
    """{"model", "hash", "name"}: the base that the adapter's files name, as far as they do."""
    base = _dict(facts_of(folder), "base")
    name = _object(folder / CONFIG).get("base_model_name_or_path")
    return {"model": _text(base.get("model")), "hash": _text(base.get("hash")), "name": _text(name)}


def _object(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > LARGEST_JSON:
            return {}
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _dict(told: dict[str, Any], name: str) -> dict[str, Any]:
    part = told.get(name)
    return part if isinstance(part, dict) else {}


def _number(value: Any) -> float | None:
    usable = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if usable and math.isfinite(value) else None


def _text(value: Any) -> str | None:
    return sound(value[:300]) if isinstance(value, str) else None
