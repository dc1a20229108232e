"""Three languages on one base (S12): adapters for two of them, and what each does to all three."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lora_lab.config import Settings
from lora_lab.lab.adapters import live_mixture
from lora_lab.lab.answers import place_of
from lora_lab.lab.training import check_the_queue, prepared, run, runs

DATA = ("french-stories", "german-stories")
MODEL, STEPS = "tiny-stories", 120
WEIGHT = 0.5  # of each adapter in their mixture


def start_languages(owner: str) -> list[str]:
    """Queue a French and a German adapter on the model in the box; the runs' ids."""
    check_the_queue(owner, len(DATA))
    wanted = [Settings(model=MODEL, data=data, steps=STEPS) for data in DATA]
    ready = [prepared(settings, owner) for settings in wanted]  # all are checked before one starts
    return [make().id for make in ready]


def languages_of(owner: str) -> list[dict[str, Any]]:
    """This person's newest LoRA run of each language, French first, as lab.runs tells it; empty
    where one is missing."""
    mine = [each for each in runs(owner) if "experiment" not in each]
    newest = [
        next((each for each in mine if _is_of(each["settings"], data)), None) for data in DATA
    ]
    return [] if None in newest else [each for each in newest if each]


def _is_of(settings: dict[str, Any], data: str) -> bool:
    told = settings["model"], settings["data"], settings.get("method", "lora")
    return told == (MODEL, data, "lora")


def languages_measured(runs: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What measure_languages told of these runs, as languages_of tells them; None before."""
    told = runs[-1].get("languages") if runs else None
    names = [row["name"] for row in told["rows"]] if told else []
    return told if names == ["base", *(each["id"] for each in runs), "mixture"] else None


def measure_languages(ids: list[str], owner: str) -> Iterator[dict[str, Any]]:
    """Heavy. {"kind": "table"} at the end, {"kind": "progress"} on the way: "texts", the columns'
    names (English first, then what each adapter learned from); "rows", each {"name": "base", a
    run's id or "mixture", "losses": one a text, in nats a token}; "hash_before" and "hash_after",
    of the base in memory, all adapters off. The table is kept with the last of the runs.
    """
    from lora_lab.evaluation import comparing, loaded
    from lora_lab.models import loading, sources
    from lora_lab.runs import folder, texts

    folders = [folder.owned(id, owner).adapter for id in ids]
    yield {"kind": "progress", "phase": "loading"}
    heldout = texts.heldout(folders)
    place = place_of(Settings(model=MODEL))
    base = loaded.base(sources.fetch(MODEL), place.device, place.precision)
    before = loading.base_hash(base.model)
    figures: dict[str, Any] = {}
    with live_mixture([(str(each), WEIGHT) for each in folders]) as mixture:
        columns = [*((each, 1.0) for each in folders), (Path(mixture), 1.0)]
        for event in comparing.evaluate(MODEL, columns, heldout, place):
            if event["kind"] == "figures":
                figures = event
                yield {"kind": "progress", "phase": "measuring"}
    measured = [figures["base_text"], *figures["heldout"]]
    names = ["base", *ids, "mixture"]
    told = {
        "texts": ["english", *(run(id, owner)["settings"]["data"] for id in ids)],
        "rows": [
            {"name": name, "losses": [text["losses"][place] for text in measured]}
            for place, name in enumerate(names)
        ],
        "hash_before": before,
        "hash_after": loading.base_hash(base.model),
    }
    folder.owned(ids[-1], owner).note(languages=told)
    yield {"kind": "table", **told}
