"""Uploaded files, as the page and the API name them: a path that Gradio gave, and a person's name.

The path comes back from the browser, so it is believed only inside the folder of uploads.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder

from lora_lab.errors import LabError
from lora_lab.shelf import room

LARGEST = "200mb"  # an upload is refused above it, before it is stored


def room_for(length: str) -> bool:
    """Whether an upload of so many bytes, as its header tells them, leaves the disk its spare."""
    place = Path(get_upload_folder())
    free = shutil.disk_usage(place if place.exists() else tempfile.gettempdir()).free
    return (int(length) if length.isdecimal() else 0) + room.SPARE <= free


def accepted(payload: Any) -> tuple[Path, str]:
    """The file of a Gradio upload payload and the name its owner knows it by.

    Raises LabError when it is not a file that was uploaded here.
    """
    if isinstance(payload, list):
        payload = payload[0] if payload else None
    if not isinstance(payload, dict) or not isinstance(payload.get("path"), str):
        raise LabError("no_file_uploaded")
    path = Path(payload["path"]).resolve()
    if not path.is_relative_to(Path(get_upload_folder()).resolve()) or not path.is_file():
        raise LabError("no_file_uploaded")
    return path, Path(str(payload.get("orig_name") or path.name)).name


def kept(path: Path, name: str) -> str:
    """What the page remembers of an upload, for remembered() to read."""
    # The time tells the same file, uploaded once more, from nothing new.
    return json.dumps({"path": str(path), "orig_name": name, "time": time.time()})


def remembered(text: str) -> tuple[Path, str]:
    try:
        payload = json.loads(text or "null")
    except (TypeError, ValueError):
        payload = None
    return accepted(payload)
