"""A model from the Hugging Face Hub: its safetensors, config and tokenizer, each file checked.

Every file's size and hash (sha256 of a large one, git's sha1 of a small one) come from the Hub's
own listing. A file cut short goes on from where it stopped; one with the wrong hash starts anew.
"""

from __future__ import annotations

import hashlib
import os
import queue
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_lab.errors import LabError
from lora_lab.models import architecture, landing, weights

CONNECT_S, READ_S = 5.0, 20.0
LISTING_S = 8.0  # connecting to each of a host's addresses in turn may take far longer
TRIES, PAUSE_S = 3, 1.0
SMALL_FILES = re.compile(
    r"config\.json|generation_config\.json|tokenizer.*\.json|tokenizer\.model|vocab\.(json|txt)"
    r"|merges\.txt|special_tokens_map\.json|added_tokens\.json|chat_template\.(jinja|json)"
)
WEIGHT_PART = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
INDEX = "model.safetensors.index.json"


@dataclass(frozen=True)
class Entry:
    """A file as the Hub lists it. sha256 is None for a small file, which has git's sha1 alone."""

    name: str
    size: int
    sha256: str | None
    git_sha1: str


@dataclass(frozen=True)
class Repository:
    """A model on the Hub at one commit."""

    hub_id: str
    commit: str
    entries: list[Entry]

    @property
    def source(self) -> str:
        return f"hub:{self.hub_id}@{self.commit}"


def endpoint() -> str:
    """The Hub's address: $HF_ENDPOINT, as in huggingface_hub, else the public one."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def listing(hub_id: str, revision: str = "main") -> Repository:
    """What the Hub has under that id, asked in LISTING_S at most.

    Raises hub_offline, hub_unreachable, unknown_on_hub or gated.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise LabError("hub_offline", model=hub_id)
    from huggingface_hub import HfApi

    def ask() -> Any:
        api = HfApi(endpoint=endpoint())
        return api.model_info(hub_id, revision=revision, files_metadata=True, timeout=CONNECT_S)

    told = _tried(lambda: _within(LISTING_S, ask, hub_id), hub_id, patient=False)
    entries = [
        Entry(s.rfilename, s.size or 0, s.lfs.sha256 if s.lfs else None, s.blob_id or "")
        for s in told.siblings or []
    ]
    return Repository(hub_id, told.sha, entries)


def download(repository: Repository, folder: Path, report: landing.Report) -> None:
    """Fetches the model into `folder`: config first, so that what cannot be used is not fetched.

    Raises pickle_only, no_weights, unsupported_architecture (and its kin), not_enough_disk,
    download_broken, gated or hub_unreachable.
    """
    wanted = _wanted(repository)
    by_name = {entry.name: entry for entry in wanted}
    config(repository, folder)
    if INDEX in by_name:
        get(repository, by_name[INDEX], folder, lambda _: None)
        named = weights.parts_named((folder / INDEX).read_text("utf-8"), INDEX)
        wanted = [e for e in wanted if not e.name.endswith(".safetensors") or e.name in named]
    here = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    total = sum(entry.size for entry in wanted)
    landing.check_room(total - here, repository.hub_id)
    meter, done = landing.Meter(report, total), 0
    for entry in wanted:
        get(repository, entry, folder, meter.after(done))
        done += entry.size


def config(repository: Repository, folder: Path) -> Path:
    """Fetches config.json alone into `folder` and checks that it names a model we can train."""
    for entry in repository.entries:
        if entry.name == "config.json":
            get(repository, entry, folder, lambda _: None)
            architecture.check(folder / "config.json", repository.hub_id)
            return folder / "config.json"
    raise LabError("no_config", folder=repository.hub_id)


def _wanted(repository: Repository) -> list[Entry]:
    """Weights as safetensors, config and tokenizer: nothing else is ever fetched."""
    by_name = {entry.name: entry for entry in repository.entries}
    small = [entry for name, entry in by_name.items() if SMALL_FILES.fullmatch(name)]
    if "model.safetensors" in by_name:
        return [*small, by_name["model.safetensors"]]
    parts = [entry for name, entry in by_name.items() if WEIGHT_PART.fullmatch(name)]
    if INDEX in by_name and parts:
        return [*small, by_name[INDEX], *parts]
    if "adapter_config.json" in by_name:
        raise LabError("folder_is_an_adapter", folder=repository.hub_id)
    pickled = any(name.endswith(weights.PICKLES) for name in by_name)
    raise LabError("pickle_only" if pickled else "no_weights", model=repository.hub_id)


def get(repository: Repository, entry: Entry, folder: Path, came: Callable[[int], None]) -> None:
    """One file, whole and with the right hash; `came` is told its bytes so far."""
    path = folder / entry.name
    if path.is_file() and path.stat().st_size == entry.size and _is_right(path, entry):
        came(entry.size)
        return

    def attempt() -> None:
        _stream(repository, entry, path, came)
        if not _is_right(path, entry):
            path.unlink()
            raise _BrokenError(entry.name)

    _tried(attempt, repository.hub_id, patient=True)


def _stream(repository: Repository, entry: Entry, path: Path, came: Callable[[int], None]) -> None:
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    here = path.stat().st_size if path.exists() else 0
    if here >= entry.size:
        path.unlink(missing_ok=True)
        here = 0
    url = hf_hub_url(repository.hub_id, entry.name, revision=repository.commit, endpoint=endpoint())
    # Compressed on the way, a file's bytes could be neither counted nor continued.
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    if here:
        headers["Range"] = f"bytes={here}-"
    limits = (CONNECT_S, READ_S, READ_S, CONNECT_S)
    with get_session().stream("GET", url, headers=headers, timeout=limits) as answer:
        hf_raise_for_status(answer)
        here = here if answer.status_code == 206 else 0
        with path.open("ab" if here else "wb") as out:
            for chunk in answer.iter_bytes():
                here += out.write(chunk)
                if here > entry.size:
                    break
                came(here)


def _is_right(path: Path, entry: Entry) -> bool:
    if path.stat().st_size != entry.size:
        return False
    digest = hashlib.sha256() if entry.sha256 else hashlib.sha1(usedforsecurity=False)
    if not entry.sha256:
        digest.update(b"blob %d\0" % entry.size)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest() == (entry.sha256 or entry.git_sha1)


class _BrokenError(Exception):
    """What came is not what the Hub listed."""


def _tried(ask: Callable[[], Any], hub_id: str, patient: bool) -> Any:
    """ask(), up to TRIES times where another try can help.

    patient: a lost connection is tried again too (there is something to go on from).
    """
    for left in reversed(range(TRIES)):
        try:
            return ask()
        except Exception as error:
            failure, again = _understood(error, hub_id)
            if failure is None:
                raise
            if not left or not again or (failure.key == "hub_unreachable" and not patient):
                raise failure from error
        time.sleep(PAUSE_S)


def _understood(error: Exception, hub_id: str) -> tuple[LabError | None, bool]:
    """What went wrong on the way, and whether another try can help; None when it is not ours."""
    import httpx2
    from huggingface_hub import errors

    if isinstance(error, _BrokenError):
        return LabError("download_broken", file=str(error), model=hub_id), True
    if isinstance(error, errors.GatedRepoError):
        return LabError("gated", model=hub_id), False
    if isinstance(error, (errors.RepositoryNotFoundError, errors.RevisionNotFoundError)):
        return LabError("unknown_on_hub", model=hub_id), False
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            return LabError("gated", model=hub_id), False
        if status == 404:
            return LabError("unknown_on_hub", model=hub_id), False
        return LabError("hub_failed", model=hub_id, status=status), status >= 500 or status == 429
    # A ValueError is a page where JSON was due: a school's network that answers for the Hub.
    if isinstance(error, (httpx2.RequestError, ConnectionError, TimeoutError, ValueError)):
        return LabError("hub_unreachable", model=hub_id), True
    return None, False


def _within(seconds: float, ask: Callable[[], Any], hub_id: str) -> Any:
    """ask() in a thread that is left behind when it takes longer."""
    answers: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((True, ask()))
        except Exception as error:
            answers.put((False, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        good, answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise LabError("hub_unreachable", model=hub_id) from None
    if not good:
        raise answer
    return answer
