"""Three languages on one base (S12): adapters for two of them, and what each does to all three."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lora_lab.config import Settings
from lora_lab.lab.adapters import live_mixture
from lora_lab.lab.answers import place_of
from lora_lab.lab.training import run, runs, start

DATA = ("french-stories", "german-stories")
MODEL, STEPS = "tiny-stories", 120
WEIGHT = 0.5  # of each adapter in their mixture


def start_languages(owner: str) -> list[str]:
    """Queue a French and a German adapter on the model in the box; the runs' ids."""
    return [start(Settings(model=MODEL, data=data, steps=STEPS), owner) for data in DATA]


def languages_of(owner: str) -> list[dict[str, Any]]:
    """This person's newest run of each language, French first, as lab.runs tells it; empty where
    one is missing."""
    mine = [each for each in runs(owner) if "experiment" not in each]
    newest = [
        next((each for each in mine if _is_of(each["settings"], data)), None) for data in DATA
    ]
    return [] if None in newest else [each for each in newest if each]


def _is_of(settings: dict[str, Any], data: str) -> bool:
    return (settings["model"], settings["data"]) == (MODEL, data)


def measure_languages(ids: list[str], owner: str) -> Iterator[dict[str, Any]]:
    """Heavy. {"kind": "table"} at the end, {"kind": "progress"} on the way: "texts", the columns'
    names (English first, then what each adapter learned from); "rows", each {"name": "base", a
    run's id or "mixture", "losses": one a text, in nats a token}; "hash_before" and "hash_after",
    of the base in memory, all adapters off.
    """
    from lora_lab.evaluation import comparing, loaded
    from lora_lab.models import loading, sources
    from lora_lab.runs import folder, texts

    folders = [folder.owned(id, owner).adapter for id in ids]
    heldout = texts.heldout(folders)
    place = place_of(Settings(model=MODEL))
    base = loaded.base(sources.fetch(MODEL), place.device, place.precision)
    before = loading.base_hash(base.model)
    figures: dict[str, Any] = {}
    with live_mixture([(str(each), WEIGHT, "") for each in folders]) as mixture:
        columns = [*((each, 1.0) for each in folders), (Path(mixture), 1.0)]
        for event in comparing.evaluate(MODEL, columns, heldout, place):
            if event["kind"] == "figures":
                figures = event
                yield {"kind": "progress", "phase": "measuring"}
    measured = [figures["base_text"], *figures["heldout"]]
    names = ["base", *ids, "mixture"]
    yield {
        "kind": "table",
        "texts": ["english", *(run(id, owner)["settings"]["data"] for id in ids)],
        "rows": [
            {"name": name, "losses": [text["losses"][place] for text in measured]}
            for place, name in enumerate(names)
        ],
        "hash_before": before,
        "hash_after": loading.base_hash(base.model),
    }
