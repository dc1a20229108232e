"""Files to keep of one's own adapters, each at an address.

/shelf/adapter.zip?adapter=ID    with its model card
/shelf/merged.zip?adapter=ID     the whole model it was merged into
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from lora_lab import lab, words
from lora_lab.errors import LabError
from lora_lab.ui import cards
from lora_lab.ui.exports import zip_of
from lora_lab.ui.identity import owner

router = APIRouter(prefix="/shelf")


@router.get("/adapter.zip")
def adapter_zip(request: Request, adapter: str, language: str = words.DEFAULT) -> Response:
    spoken = language if language in words.LANGUAGES else words.DEFAULT
    try:
        who = owner(request)
        told, folder = lab.adapter(adapter, who), Path(lab.adapter_folder(adapter, who))
    except LabError as error:
        return PlainTextResponse(error.text(spoken), status_code=404)
    name = cards.title(told, spoken)
    about = {"language": spoken, "name": name, "model": told["model"]}
    return zip_of(f"{_plain(name)}.zip", partial(lab.export_adapter, folder, **about))


@router.get("/merged.zip")
def merged_zip(request: Request, adapter: str, language: str = words.DEFAULT) -> Response:
    spoken = language if language in words.LANGUAGES else words.DEFAULT
    try:
        who = owner(request)
        file, told = lab.merged_file(adapter, who), lab.adapter(adapter, who)
    except LabError as error:
        return PlainTextResponse(error.text(spoken), status_code=404)
    name = f"{_plain(cards.title(told, spoken))}-merged.zip"
    return FileResponse(file, media_type="application/zip", filename=name)


def _plain(name: str) -> str:
    """A name as a file's."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "adapter"
