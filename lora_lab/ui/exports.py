"""Files to keep of one's own runs, each at an address: curves as CSV or PNG, the adapter as a zip.

/keep/curves.csv?run=ID&run=ID    /keep/curves.png?run=ID…    /keep/adapter.zip?run=ID
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, PlainTextResponse, Response

from lora_lab import lab, words
from lora_lab.errors import LabError
from lora_lab.runs import folder
from lora_lab.shelf import archive
from lora_lab.ui import live
from lora_lab.ui.identity import owner
from lora_lab.ui.markup import safe
from lora_lab.words import say

router = APIRouter(prefix="/keep")
MOST = 20  # runs in one file
COLUMNS = ["run", "kind", "step", "epoch", "seconds", "loss"]
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet's formula may begin with
Runs = Annotated[list[str], Query(alias="run", max_length=MOST)]


def links(runs: list[dict[str, Any]], language: str) -> str:
    """The links to what these runs leave to keep."""
    query = "&amp;".join([*(f"run={safe(run['id'])}" for run in runs), f"language={language}"])
    kinds = [("curves.csv", "keep.csv"), ("curves.png", "keep.png")]
    if len(runs) == 1 and runs[0]["adapter"]:
        kinds.insert(0, ("adapter.zip", "keep.adapter"))
        kinds.append(("report.pdf", "keep.page"))
    drawn = " · ".join(
        f'<a href="/keep/{name}?{query}" download>{safe(say(key, language))}</a>'
        for name, key in kinds
    )
    return f'<p class="keep">{drawn}</p>'


@router.get("/curves.csv")
def curves_csv(request: Request, runs: Runs, language: str = words.DEFAULT) -> Response:
    def made(who: str) -> Response:
        rows = [
            {"run": run, **event}
            for run in runs
            for event in lab.events(run, who)[0]
            if event["kind"] in ("train", "heldout")
        ]
        return table_of(COLUMNS, rows, "curves.csv")

    return answer(request, language, made)


@router.get("/curves.png")
def curves_png(request: Request, runs: Runs, language: str = words.DEFAULT) -> Response:
    def made(who: str) -> Response:
        from lora_lab import plots  # matplotlib: not in the page's process before somebody asks

        told = [
            (live.title(lab.run(run, who), known(language)), lab.events(run, who)[0])
            for run in runs
        ]
        figure = plots.loss_figure(told, known(language))
        return file_of(plots.drawn(figure, "png"), "image/png", "curves.png")

    return answer(request, language, made)


@router.get("/adapter.zip")
def adapter_zip(request: Request, runs: Runs, language: str = words.DEFAULT) -> Response:
    def made(who: str) -> Response:
        run = folder.owned(runs[0], who)
        if not run.adapter.is_dir():
            raise LabError("no_adapter_yet", run=run.id)
        return zip_of(f"adapter-{run.id}.zip", partial(archive.pack, run.adapter))

    return answer(request, language, made)


def answer(request: Request, language: str, made: Any) -> Response:
    try:
        return made(owner(request))
    except LabError as error:
        return PlainTextResponse(error.text(known(language)), status_code=404)


def known(language: str) -> str:
    return language if language in words.LANGUAGES else words.DEFAULT


def file_of(content: bytes, media_type: str, name: str) -> Response:
    disposition = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=disposition)


def table_of(columns: Sequence[str], rows: Iterable[dict[str, Any]], name: str) -> Response:
    """The columns of the rows as CSV. A text that a spreadsheet would take for a formula (a dataset
    may be called anything) has an apostrophe before it, which spreadsheets do not show."""
    text = io.StringIO()
    table = csv.DictWriter(text, columns, extrasaction="ignore")
    table.writeheader()
    for row in rows:
        table.writerow({column: _no_formula(row.get(column)) for column in columns})
    return file_of(text.getvalue().encode(), "text/csv; charset=utf-8", name)


def _no_formula(value: Any) -> Any:
    formula = isinstance(value, str) and value.startswith(FORMULA)
    return f"'{value}" if formula else value


def zip_of(name: str, write: Callable[[Path], Any]) -> Response:
    """What write(file) leaves in a file, which may be as large as a model; gone once it is sent."""
    with tempfile.NamedTemporaryFile(suffix=".zip", delete=False) as made:
        file = Path(made.name)
    try:
        write(file)
    except BaseException:
        file.unlink()
        raise
    gone = BackgroundTask(file.unlink)
    return FileResponse(file, media_type="application/zip", filename=name, background=gone)
