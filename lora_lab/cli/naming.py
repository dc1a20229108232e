"""What flags name: adapters, their base, and the folder for what comes out; and whose all is."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile

from lora_lab import lab
from lora_lab.config import Settings
from lora_lab.errors import LabError
from lora_lab.shelf import entry

OWNER = "command-line"  # of what is made here


def adapters(told: list[str]) -> dict[str, tuple[Path, float]]:
    """NAME_OR_DIR[=STRENGTH] -> folder and strength, by the name to show.

    The name is what was typed, without the strength where that leaves no two alike.
    """
    split = [_strength(text) for text in told]
    alone = [name for name, _ in split]
    names = [
        name if alone.count(name) == 1 else text for text, name in zip(told, alone, strict=True)
    ]
    return {
        shown: (adapter(name), strength)
        for shown, (name, strength) in zip(names, split, strict=True)
    }


def _strength(text: str) -> tuple[str, float]:
    name, equals, strength = text.rpartition("=")
    if not equals or Path(text).exists():
        return text, 1.0
    try:
        return name, float(strength)
    except ValueError:
        raise LabError("strength_not_a_number", adapter=text, value=strength) from None


def adapter(name: str) -> Path:
    """A folder, or the adapter of that id or name on the shelf, whoever's it is."""
    if Path(name).is_dir():
        return Path(name)
    return entry.named(name).adapter


def base(model: str, folders: list[Path]) -> str:
    """The model meant: where none was named, the one that the first adapter was made on."""
    if model != Settings.model or not folders:
        return model
    try:
        return lab.base_of(str(folders[0]))
    except LabError:
        return model  # what does not fit it is said when it is attached


def check_out(out: Path | None, holding: str = "adapter_config.json") -> None:
    """What cannot be written to is found out before the work: out is made, and taken away again.

    holding: the file that tells a result of the same kind, which may be replaced.
    """
    if out is None:
        return
    new = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=out).close()
        strange = next((p for p in out.iterdir() if not (out / holding).exists()), None)
        for folder in new:
            folder.rmdir()
    except OSError as error:
        raise LabError("out_not_writable", folder=str(out), reason=error.strerror) from error
    if strange:
        raise LabError("out_not_empty", folder=str(out), found=strange.name)
