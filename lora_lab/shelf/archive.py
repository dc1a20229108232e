"""An adapter as a zip: read with suspicion, written with nothing but the adapter in it.

Of a stranger's zip only files of known names are taken out, and their bytes counted as they come:
what a zip says of its own sizes is not believed.
"""

from __future__ import annotations

import errno
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from lora_lab.errors import LabError

SMALL, LARGE = 1_000_000, 2_000_000_000  # bytes
CONFIG = "adapter_config.json"
FILES = {
    CONFIG: SMALL,
    "adapter_model.safetensors": LARGE,
    "README.md": SMALL,
    "lora_lab.json": SMALL,
}
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
MOST_ENTRIES = 1000
BROKEN = (
    zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, zlib.error,
    lzma.LZMAError,
)  # fmt: skip
PREFIX = "prefix"  # the folder of a prefix beside LoRA
DEEPEST = 4  # folders in which the adapter may lie


def unpack(archive: Path, name: str, into: Path) -> None:
    """Take the adapter in a zip out into a new folder. name: what its owner calls the zip.

    Raises LabError: no zip, a hostile or encrypted one, too large, none or several adapters in it,
    weights as a pickle alone.
    """
    with _opened(archive, name) as opened:
        for part, infos in _adapters(opened, name).items():
            for info in infos:
                _take(opened, info, into / part, name)


def size(archive: Path, name: str) -> int:
    """Bytes that the adapter in a zip says it takes; no more than those are ever read from it.
    Raises LabError as unpack does."""
    with _opened(archive, name) as opened:
        return sum(info.file_size for infos in _adapters(opened, name).values() for info in infos)


def pack(folder: Path, archive: Path, texts: dict[str, str] | None = None) -> None:
    """Write a zip of the adapter, or model, in folder; texts replaces or adds files.

    One that is there already is replaced in one step: somebody may be downloading it.
    """
    texts = texts or {}
    part = archive.with_name(f"{archive.name}.part")
    # The weights are noise to a compressor: stored as they are.
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as packed:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            inside = file.relative_to(folder).as_posix()
            if inside not in texts:
                packed.write(file, inside)
        for inside, text in texts.items():
            packed.writestr(inside, text)
    part.replace(archive)


@contextmanager
def _opened(archive: Path, name: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as opened:
            _check(opened, name)
            yield opened
    except BROKEN as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise  # a full disk is no fault of the zip's
        raise LabError("zip_broken", file=name) from error


def _check(opened: zipfile.ZipFile, name: str) -> None:
    entries = opened.infolist()
    if len(entries) > MOST_ENTRIES:
        raise LabError("zip_too_many", file=name, count=len(entries), most=MOST_ENTRIES)
    for info in entries:
        path = PurePosixPath(info.filename)
        strange = path.is_absolute() or ".." in path.parts or "\\" in info.filename
        if strange or ":" in info.filename:
            raise LabError("zip_hostile", file=name, name=info.filename[:100])
        if info.flag_bits & 1:
            raise LabError("zip_encrypted", file=name)


def _adapters(opened: zipfile.ZipFile, name: str) -> dict[str, list[zipfile.ZipInfo]]:
    """The files of the one adapter in the zip, by the folder they go to."""
    paths = {PurePosixPath(info.filename): info for info in opened.infolist() if not info.is_dir()}
    homes = sorted(
        {path.parent for path in paths if path.name == CONFIG}, key=lambda p: len(p.parts)
    )
    if not homes or len(homes[0].parts) > DEEPEST:
        raise LabError("zip_no_adapter", file=name)
    home = homes[0]
    if any(not other.is_relative_to(home) for other in homes):
        raise LabError("zip_several", file=name, first=str(homes[0]), second=str(homes[1]))
    parts = {"": home, PREFIX: home / PREFIX}
    inside = {
        part: {path.name: info for path, info in paths.items() if path.parent == place}
        for part, place in parts.items()
    }
    files = inside[""]
    if "adapter_model.safetensors" not in files and any(f.endswith(PICKLES) for f in files):
        raise LabError("adapter_pickle", file=name)
    return {
        part: [info for file, info in found.items() if file in FILES]
        for part, found in inside.items()
    }


def _take(opened: zipfile.ZipFile, info: zipfile.ZipInfo, into: Path, name: str) -> None:
    into.mkdir(parents=True, exist_ok=True)
    file = PurePosixPath(info.filename).name
    came, most = 0, FILES[file]
    with opened.open(info) as source, (into / file).open("wb") as target:
        while chunk := source.read(1 << 20):
            came += len(chunk)
            if came > most:
                raise LabError("zip_too_large", file=name, name=file, most=most // 1_000_000)
            target.write(chunk)
