"""An adapter from the Hugging Face Hub: its few files, each checked as a model's are."""

from __future__ import annotations

from pathlib import Path

from lora_lab.errors import LabError
from lora_lab.models import hub, landing, weights

CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"
WANTED = [f"{part}{name}" for part in ("", "prefix/") for name in (CONFIG, TENSORS)]
WANTED += ["README.md", "lora_lab.json"]


def download(hub_id: str, folder: Path) -> str:
    """Fetch the adapter into folder; returns its source, "hub:<id>@<commit>".

    Raises LabError: what hub.listing raises, hub_no_adapter, adapter_pickle, not_enough_disk,
    download_broken.
    """
    repository = hub.listing(hub_id)
    by_name = {entry.name: entry for entry in repository.entries}
    if CONFIG not in by_name:
        raise LabError("hub_no_adapter", model=hub_id)
    if TENSORS not in by_name and any(name.endswith(weights.PICKLES) for name in by_name):
        raise LabError("adapter_pickle", file=hub_id)
    wanted = [by_name[name] for name in WANTED if name in by_name]
    landing.check_room(sum(entry.size for entry in wanted), hub_id)
    for entry in wanted:
        (folder / entry.name).parent.mkdir(parents=True, exist_ok=True)
        hub.get(repository, entry, folder, lambda _: None)
    return repository.source
