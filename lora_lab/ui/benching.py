"""What the factorisation bench does: a rank slider is moved, and the numbers follow at once."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from lora_lab import lab
from lora_lab.errors import LabError
from lora_lab.factorising import patterns, pictures, tables, truncation
from lora_lab.models import shapes
from lora_lab.runs.warm import Warm
from lora_lab.ui import live, lowrank, uploads
from lora_lab.ui.bench import SIDE, BenchTab, grid
from lora_lab.ui.calm import calmly
from lora_lab.ui.heat import MOST_BARS, bars, heat, largest
from lora_lab.ui.identity import owner
from lora_lab.ui.markup import note, safe
from lora_lab.ui.training import QUIET, SLOW
from lora_lab.words import say

ENOUGH = 0.05  # the error for which the smallest rank is told


class Benching:
    """The handlers of one language's bench."""

    def __init__(self, tab: BenchTab, language: str, warm: Warm):
        self.tab, self.language, self.warm = tab, language, warm

    # The cells

    def draw(self, pattern: str, rank: int) -> list[Any]:
        """A pattern was chosen: it stands in the cells."""
        known = pattern if pattern in patterns.PATTERNS else patterns.PATTERNS[0]
        matrix = patterns.draw(known, SIDE, SIDE)
        cells = matrix.tolist()
        return [grid(cells, self.language), json.dumps(cells), *self._factorised(cells, rank)]

    def type(self, rank: int, event: gr.EventData) -> list[Any]:
        """A number was typed over."""
        cells = (event._data or {}).get("cells")
        return [json.dumps(cells), *self._factorised(cells, rank)]

    def turn(self, numbers: str, rank: int) -> list[Any]:
        """The rank was moved."""
        return self._factorised(json.loads(numbers or "null"), rank)

    def _factorised(self, cells: Any, rank: int) -> list[Any]:
        matrix, language = tables.of_cells(cells), self.language
        if matrix.shape != (SIDE, SIDE):  # a page sends what it likes; more would take long to draw
            raise LabError("matrix_not_a_table")
        factors = truncation.decompose(matrix)
        rows, columns = matrix.shape
        told = lab.truncated(factors.S.tolist(), rows, columns, int(rank))
        B, A = (thin.tolist() for thin in factors.thin(int(rank)))
        product = factors.product(int(rank))
        thin = heat(B, "B", largest(B, A), language)
        thin += f'<b class="sign">×</b>{heat(A, "A", largest(B, A), language)}'
        limit = largest(matrix.tolist())
        beside = heat(product.tolist(), say("bench.product", language), limit, language)
        left = say("bench.difference", language)
        beside += heat((matrix - product).tolist(), left, limit, language)
        values = told["singular_values"]
        return [
            lowrank.hero(told, language)
            + self._enough(values)
            + f'<div class="heats">{thin}</div>',
            f'<div class="heats">{beside}{self._bars(values, told["rank"])}</div>',
        ]

    def _enough(self, values: list[float]) -> str:
        rank = truncation.smallest_rank(values, ENOUGH)
        return note("bench.enough", self.language, rank=rank, error=round(100 * ENOUGH))

    def _bars(self, values: list[float], rank: int) -> str:
        name = say("bench.values", self.language)
        if len(values) > MOST_BARS:
            name += " " + say("bench.first", self.language, shown=MOST_BARS, count=len(values))
        drawn = bars(values, rank, self.language)
        return f'<figure class="values"><figcaption>{safe(name)}</figcaption>{drawn}</figure>'

    # A picture

    def take_picture(self, payload: Any, rank: int) -> list[Any]:
        path, name = uploads.accepted(payload)
        lab.matrix_of_file(path, name)  # what is wrong with it is told before it is remembered
        kept = uploads.kept(path, name)
        return [kept, *self.see_picture(kept, rank)]

    def see_picture(self, uploaded: str, rank: int) -> list[Any]:
        """The picture that was uploaded, or the one in the box, beside itself at this rank."""
        if uploaded:
            path, name = uploads.remembered(uploaded)
            matrix, factors = _of_file(path, name, path.stat().st_mtime_ns)
        else:
            matrix, factors = _in_the_box()
        rows, columns = matrix.shape
        told = lab.truncated(factors.S.tolist(), rows, columns, min(int(rank), rows, columns))
        product = factors.product(told["rank"])
        shown = [("bench.original", matrix), ("bench.product", product)]
        shown += [("bench.grey", 127.5 + (matrix - product))]
        drawn = "".join(self._image(key, pixels) for key, pixels in shown)
        values = told["singular_values"]
        return [
            lowrank.hero(told, self.language)
            + self._enough(values)
            + f'<div class="pictures">{drawn}</div>'
            + self._bars(values, told["rank"])
        ]

    def _image(self, key: str, pixels: np.ndarray) -> str:
        name = safe(say(key, self.language))
        data = base64.b64encode(pictures.png(pixels)).decode()
        return (
            f'<figure><figcaption>{name}</figcaption><img alt="{name}" width="{pixels.shape[1]}"'
            f' height="{pixels.shape[0]}" src="data:image/png;base64,{data}"></figure>'
        )

    # A weight of a model

    def list_matrices(self, model: str) -> list[Any]:
        known = shapes.shapes(lowrank.offered(model))
        paths = [path for path, each in known.paths().items() if each.kind != "embedding"]
        inside = [path for path in paths if ".0." in path or len(paths) < 200]
        return [gr.update(choices=inside, value=inside[0])]

    def read_weight(self, model: str, path: str, rank: int) -> Iterator[list[Any]]:
        yield [gr.skip(), gr.skip(), note("bench.weight.reading", self.language)]
        asked = {"model": lowrank.offered(model), "path": str(path), "rank": 1}
        for event in self.warm.call("factorise_weight", **asked):
            if event["kind"] == "factorised":
                most = min(event["rows"], event["columns"])
                known = {name: event[name] for name in ("rows", "columns", "singular_values")}
                value = min(int(rank), most)
                slider = gr.update(maximum=most, value=value)
                told = json.dumps(known)
                yield [told, slider, self._weight(known, value)]
            else:
                yield [gr.skip(), gr.skip(), live.preparing(event, self.language)]

    def turn_weight(self, known: str, rank: int) -> list[Any]:
        return [self._weight(json.loads(known), int(rank)) if known else gr.skip()]

    def _weight(self, known: dict[str, Any], rank: int) -> str:
        told = lab.truncated(known["singular_values"], known["rows"], known["columns"], rank)
        even = told["original"] // (told["rows"] + told["columns"])
        values = told["singular_values"]
        more = note("bench.even", self.language, rank=even)
        return (
            lowrank.hero(told, self.language)
            + self._enough(values)
            + more
            + self._bars(values, rank)
        )

    # W0 itself, cut

    def list_runs(self, request: gr.Request, chosen: str) -> list[Any]:
        choices = lowrank.finished(owner(request), self.language)
        ids = [run for _, run in choices]
        value = chosen if chosen in ids else next(iter(ids), None)
        return [gr.update(choices=choices, value=value)]

    def cut_base(self, request: gr.Request, run_id: str) -> Iterator[list[Any]]:
        """The table grows as each rank is measured."""
        run = lowrank.chosen(run_id, owner(request))
        yield [note("progress.starting", self.language)]
        events: list[dict[str, Any]] = []
        settings = run.settings
        asked = {"model": settings.model, "targets": settings.targets, "ranks": None}
        for event in self.warm.call("cut_base", **asked, adapters=[str(run.adapter)]):
            events.append(event)
            yield [lowrank.cut_table(events, self.language) or live.preparing(event, self.language)]


@lru_cache(maxsize=4)
def _of_file(path: Path, name: str, _stamp: int) -> tuple[np.ndarray, truncation.Factors]:
    matrix = lab.matrix_of_file(path, name)
    return matrix, truncation.decompose(matrix)


@lru_cache(maxsize=1)
def _in_the_box() -> tuple[np.ndarray, truncation.Factors]:
    matrix = patterns.landscape()
    return matrix, truncation.decompose(matrix)


def wire(tab: BenchTab, language: str, warm: Warm, shown: list[Any]) -> None:
    """shown: the events on which the bench is drawn and its list of runs read anew."""
    does = Benching(tab, language, warm)
    drawn = [tab.cells, tab.numbers, tab.result, tab.difference, tab.problem]
    draw = calmly(language, 4)(does.draw)
    gr.on([*shown[:1], tab.pattern.change], draw, [tab.pattern, tab.rank], drawn, **QUIET)
    tab.cells.submit(calmly(language, 3)(does.type), tab.rank, drawn[1:], **QUIET)
    moved = {"trigger_mode": "always_last", **QUIET}
    tab.rank.change(calmly(language, 2)(does.turn), [tab.numbers, tab.rank], drawn[2:], **moved)
    seen = [tab.picture, tab.picture_problem]
    see = calmly(language, 1)(does.see_picture)
    told = [tab.uploaded, tab.picture_rank]
    gr.on([*shown[:1], tab.picture_rank.change], see, told, seen, **moved)
    take = calmly(language, 2)(does.take_picture)
    tab.upload.upload(take, [tab.upload, tab.picture_rank], [tab.uploaded, *seen], **QUIET)
    listed = [tab.matrix, tab.weight_problem]
    list_matrices = calmly(language, 1)(does.list_matrices)
    gr.on([*shown[:1], tab.model.change], list_matrices, tab.model, listed, **QUIET)
    read = calmly(language, 3)(does.read_weight)
    asked = [tab.model, tab.matrix, tab.weight_rank]
    known = [tab.read_already, tab.weight_rank, tab.weight, tab.weight_problem]
    tab.read.click(read, asked, known, concurrency_limit=None, **SLOW)
    turn = calmly(language, 1)(does.turn_weight)
    tab.weight_rank.change(turn, [tab.read_already, tab.weight_rank], known[2:], **moved)
    runs = [tab.run, tab.cut_problem]
    gr.on(shown, calmly(language, 1)(does.list_runs), tab.run, runs, **QUIET)
    cut = calmly(language, 1)(does.cut_base)
    tab.cut.click(cut, tab.run, [tab.cut_table, tab.cut_problem], concurrency_limit=None, **SLOW)
