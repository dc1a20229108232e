"""An adapter made elsewhere comes to the shelf: from a zip, a folder or the Hub, checked whole.

Its base is the one that its owner names, else the one that its files name; every matrix is held
against that base's shapes before anything is kept. Heavy: reads tensors.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from lora_lab.errors import LabError
from lora_lab.lora import peft_format
from lora_lab.lora.adapter import Adapter
from lora_lab.models import hub_adapter, loading, measuring, shapes, sources
from lora_lab.runs import staging
from lora_lab.shelf import archive, entry, reading, room


@dataclass(frozen=True)
class Source:
    """Where an adapter comes from: one of archive (a zip), folder and hub_id.

    name: what its owner knows it by. local_bases: a folder of this machine may be its base.
    """

    archive: Path | None = None
    folder: Path | None = None
    hub_id: str = ""
    name: str = ""
    local_bases: bool = True


def arrive(owner: str, source: Source, model: str = "") -> tuple[entry.Entry, str]:
    """The new entry, and how its base stands to ours: "same" or "other" bits, or "unchecked".

    model: its base, where its files do not say it. Raises LabError with the reason why not.
    """
    if source.archive:
        room.check(owner, archive.size(source.archive, source.name))
    with staging.making(entry.folder()) as arriving:
        place = arriving / "adapter"
        place.mkdir()
        origin = _bring(source, place)
        adapter = peft_format.load(place)
        base = base_of(place, model, source.local_bases)
        check_fits(adapter, measuring.describe(base))
        _forget_claims(place)
        room.check(owner, room.size(place))
        facts = {"name": source.name, "origin": "imported", "model": base, "source": origin}
        made = entry.create(owner, place.rename, **facts)
    return made, _same_base(made.adapter, base)


def _bring(source: Source, place: Path) -> str:
    if source.archive:
        archive.unpack(source.archive, source.name, place)
        return f"zip:{source.name}"
    if source.hub_id:
        if not sources.HUB_ID.fullmatch(source.hub_id):
            raise LabError("not_a_hub_id", model=source.hub_id[:100])
        return hub_adapter.download(source.hub_id, place)
    if not source.folder or not source.folder.is_dir():
        raise LabError("no_such_folder", folder=str(source.folder))
    for name in hub_adapter.WANTED:
        if (source.folder / name).is_file():
            (place / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(source.folder / name, place / name)
    pickled = any(source.folder.glob("adapter_model.bin"))
    if pickled and not (place / hub_adapter.TENSORS).exists():
        raise LabError("adapter_pickle", file=source.folder.name)
    return f"folder:{source.folder.absolute()}"


def _forget_claims(folder: Path) -> None:
    """What was proved elsewhere is not proved here."""
    facts = peft_format.facts(folder)
    if facts.pop("proof", None) is not None:
        peft_format.write_facts(folder, facts)


def base_of(folder: Path, chosen: str = "", local: bool = True) -> str:
    """The model, as sources.fetch takes it, that the adapter in folder stands on.

    chosen: by a person; else its files decide. local: whether a folder of this machine may be it.
    """
    if chosen and not local and sources.is_local(chosen):
        raise LabError("local_path_on_shared_server", model=chosen)
    told = reading.base_told(folder)
    # A folder that is not here may still be called as the model that was in it.
    last = Path(told["name"] or "").name
    for name in (chosen, told["model"], told["name"], last):
        known = sources.known(name) if name else None
        if known:
            return known.name
        if not name or (name == last and name != told["name"]):
            continue
        if not sources.is_local(name) or (local and (name == chosen or Path(name).is_dir())):
            return name
    raise LabError("import_base_unknown", base=told["name"] or "–")


def check_fits(adapter: Adapter, base: shapes.Shapes) -> None:
    """Every matrix of the adapter is one of the base's, and as large. Raises LabError."""
    sizes = base.sizes()
    for path, (A, B) in adapter.tensors.items():
        if path not in sizes:
            raise LabError("target_not_a_matrix", path=path)
        size = A.shape[1], B.shape[0]
        if size != sizes[path]:
            found, expected = (f"{i} → {o}" for i, o in (size, sizes[path]))
            raise LabError("adapter_does_not_fit", path=path, found=found, expected=expected)
    if adapter.prefix is not None and adapter.prefix.shape[1] != base.layers:
        found, expected = (f"layers {n}" for n in (adapter.prefix.shape[1], base.layers))
        raise LabError("prefix_does_not_fit", found=found, expected=expected)


def _same_base(folder: Path, model: str) -> str:
    told = reading.base_told(folder)["hash"]
    if not told or not sources.is_here(model):
        return "unchecked"
    return "same" if loading.base_hash(sources.fetch(model).folder) == told else "other"
