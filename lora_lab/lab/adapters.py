"""Adapters as things a person owns: the shelf, mixing, merging, proving, giving away."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lora_lab.errors import LabError
from lora_lab.lab.offered import fetch
from lora_lab.runs import staging
from lora_lab.shelf import archive, card, entry, reading, room

Events = Iterator[dict[str, Any]]
Parts = list[tuple[str, float, str]]  # an adapter's folder, its weight, what it is called


def shelf(owner: str | None = None) -> list[dict[str, Any]]:
    """The shelf of one person, or of all, newest first; see shelf.reading.told."""
    return [reading.told(each) for each in entry.all_entries(owner)]


def adapter(id: str, owner: str) -> dict[str, Any]:
    """One adapter of one's own, as `shelf` tells it."""
    return reading.told(entry.owned(id, owner))


def adapter_folder(id: str, owner: str) -> str:
    """Where an adapter of one's own lies."""
    return str(entry.owned(id, owner).adapter)


def name_adapter(id: str, owner: str, name: str, tags: list[str]) -> None:
    """What its owner calls it, and its tags."""
    mine = entry.owned(id, owner)
    mine.rename(name)
    mine.tag(tags)


def delete_adapter(id: str, owner: str) -> None:
    """Off the shelf; restore_adapter puts it back within a day."""
    entry.owned(id, owner).delete()


def restore_adapter(id: str, owner: str) -> None:
    gone = entry.find(id)
    if gone.owner == owner:
        gone.restore()
    entry.owned(id, owner)  # a stranger is told what is told of an adapter that is not there


def export_adapter(folder: Path, file: Path, language: str, **told: Any) -> None:
    """Write the adapter in folder to a zip, with a model card from its facts. told: what the shelf
    knows besides (name, model), where it stands on one."""
    archive.pack(folder, file, {"README.md": card_of(folder, language, **told)})


def card_of(folder: Path, language: str, **told: Any) -> str:
    """The model card of the adapter in folder."""
    known = reading.of_folder(folder)
    return card.card({**known, **told}, reading.facts_of(folder), language)


def push_adapter(
    folder: Path, repository: str, token: str, language: str, private: bool = True, **told: Any
) -> str:
    """Upload to the Hub under the token's account; the address. See shelf.publishing.push."""
    from lora_lab.shelf import publishing

    text = card_of(folder, language, **told)
    return publishing.push(folder, text, repository, token, private)


def import_adapter(
    owner: str,
    archive: str = "",
    folder: str = "",
    hub_id: str = "",
    name: str = "",
    model: str = "",
    local_bases: bool = True,
) -> Events:
    """Heavy. {"kind": "imported", …as `shelf` tells it, "base": "same", "other", "unchecked"}.

    One of archive (a zip's path), folder and hub_id; see shelf.arriving.
    """
    from lora_lab.shelf import arriving

    yield {"kind": "progress", "phase": "importing"}
    source = arriving.Source(
        Path(archive) if archive else None,
        Path(folder) if folder else None,
        hub_id.strip(),
        name,
        local_bases,
    )
    made, base = arriving.arrive(owner, source, model.strip())
    yield {"kind": "imported", **reading.told(made), "base": base}


def mix_adapters(
    parts: Parts,
    method: str = "sum",
    rank: int = 0,
    density: float = 0.5,
    seed: int = 0,
    out: str = "",
    owner: str = "",
    name: str = "",
    model: str = "",
) -> Events:
    """Heavy. {"kind": "mixed", "rank", "matrices", "trainable", "bytes", "error", "errors",
    "worst"}; see shelf.mixtures.

    out: a folder to write it to; owner, name, model: to put it on that person's shelf instead, then
    "id" is told too. With neither it is only measured.
    """
    from lora_lab.shelf import mixtures

    yield {"kind": "progress", "phase": "mixing"}
    given = [mixtures.Part(Path(folder), weight, called) for folder, weight, called in parts]
    mixture = mixtures.mixture(given, mixtures.Recipe(method, rank, density, seed))
    told = mixture.told()
    if out:
        mixture.save(Path(out))
        told["adapter"] = str(Path(out).absolute())
    elif owner:
        room.check(owner, told["bytes"])
        about = {"name": name, "origin": "mixed", "model": model}
        told["id"] = entry.create(owner, mixture.save, **about).id
    yield {"kind": "mixed", **told}


def merge_adapter(folder: str, out: str, model: str = "", precision: str = "float32") -> Events:
    """Heavy. {"kind": "merged", "folder", "precision", "bytes", "max_difference", "same_tokens",
    "tokens"}; see evaluation.merged. model: without it, the base that the adapter names."""
    from lora_lab.evaluation import merged

    _check_adapter(folder)
    base = base_of(folder, model)
    yield from fetch(base)
    yield from merged.save(base, Path(folder), Path(out), precision)


def merge_shelved(id: str, owner: str, precision: str = "float32") -> Events:
    """Heavy. As merge_adapter, for one's own of the shelf; the model is kept there, and packed
    beside itself for download."""
    from lora_lab.models import measuring

    mine = entry.owned(id, owner)
    model = reading.told(mine)["model"]
    # In float32, and once more as a zip; what was merged before goes when the new one is there.
    room.check(owner, 2 * 4 * measuring.describe(model).total)
    with staging.making(entry.folder()) as making:
        made = making / mine.merged.name
        for event in merge_adapter(str(mine.adapter), str(made), model, precision):
            if event["kind"] == "merged":
                yield {"kind": "progress", "phase": "packing"}
                archive.pack(made, making / mine.merged_zip.name)
                mine.keep_merged(making)
                event["folder"] = str(mine.merged.absolute())
            yield event


def merged_file(id: str, owner: str) -> Path:
    """The zip of the model an adapter of one's own was merged into."""
    file = entry.owned(id, owner).merged_zip
    if not file.is_file():
        raise LabError("merged_not_here")
    return file


def prove_adapter(folder: str, model: str = "") -> Events:
    """Heavy. The proof of evaluation.proving, which is kept beside the adapter. model: without it,
    the base that the adapter names."""
    from lora_lab.evaluation import proving

    _check_adapter(folder)
    base = base_of(folder, model)
    yield from fetch(base)
    yield from proving.prove(base, Path(folder))


def base_of(folder: str, model: str = "") -> str:
    """The base of the adapter in folder: model, where given, else the one that its files name."""
    from lora_lab.shelf import arriving

    return arriving.base_of(Path(folder), model)


def _check_adapter(folder: str) -> None:
    """A model that was trained whole stands beside adapters, and is none."""
    if reading.method(Path(folder)) == "full":
        raise LabError("mix_full", name=Path(folder).name)


def live_mixture(adapters: list[tuple[str, float]]) -> tempfile.TemporaryDirectory[str]:
    """The exact mixture of adapters, each a folder and its weight, in a folder for as long as what
    is returned lives."""
    from lora_lab.shelf import mixtures

    place = tempfile.TemporaryDirectory(prefix="lora-lab-mix-")
    parts = [mixtures.Part(Path(folder), weight) for folder, weight in adapters]
    mixtures.mixture(parts).save(Path(place.name))
    return place
