"""One page of a run or an experiment, to keep: its charts with their axes, seed, versions and the
fingerprint of its data.

/keep/report.pdf?run=ID    /keep/report.png?run=ID    /keep/report.csv?run=ID
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from lora_lab import lab, words
from lora_lab.ui import arms, live, views
from lora_lab.ui.exports import answer, file_of, known, table_of
from lora_lab.ui.markup import safe
from lora_lab.ui.plane import Axis, Chart, Line, Point
from lora_lab.words import number, say

router = APIRouter(prefix="/keep")
TYPES = {"pdf": "application/pdf", "png": "image/png"}
LONGEST_ID = 60
OneRun = Annotated[str, Query(max_length=LONGEST_ID)]
FIGURES = (
    "trainable", "adapter_bytes", "memory_bytes", "learning_rate", "heldout_loss_before",
    "heldout_loss", "spread", "base_text_loss", "seconds",
)  # fmt: skip
COLUMNS = ["experiment", "run", "model", "data", "fingerprint", "arm", "rows", "seeds", "changes"]


def report_links(run: str, language: str) -> str:
    """The links to an experiment's page as PDF, PNG and CSV."""
    query = f"run={safe(run)}&amp;language={language}"
    drawn = " · ".join(
        f'<a href="/keep/report.{kind}?{query}" download>{kind.upper()}</a>'
        for kind in (*TYPES, "csv")
    )
    return f'<p class="keep">{safe(say("keep.report", language))} {drawn}</p>'


@router.get("/report.pdf")
def report_pdf(request: Request, run: OneRun, language: str = words.DEFAULT) -> Response:
    return _page(request, run, language, "pdf")


@router.get("/report.png")
def report_png(request: Request, run: OneRun, language: str = words.DEFAULT) -> Response:
    return _page(request, run, language, "png")


@router.get("/report.csv")
def report_csv(request: Request, run: OneRun, language: str = words.DEFAULT) -> Response:
    def made(who: str) -> Response:
        table = rows(lab.experiment(run, who))
        return table_of([*COLUMNS, *FIGURES], table, f"report-{run}.csv")

    return answer(request, language, made)


def _page(request: Request, run: str, language: str, kind: str) -> Response:
    language = known(language)

    def made(who: str) -> Response:
        from lora_lab import plots  # matplotlib: not in the page's process before somebody asks

        told = lab.run(run, who)
        if "experiment" in told:
            told = lab.experiment(run, who)
            title, charts = arms.title(told, language), views.charts(told, language)
        else:
            title, charts = live.title(told, language), [_loss(run, who, language)]
        panels = [panel(chart, plots) for chart in charts]
        figure = plots.report(title, panels, facts(told, language))
        return file_of(plots.drawn(figure, kind), TYPES[kind], f"report-{run}.{kind}")

    return answer(request, language, made)


def _loss(run: str, who: str, language: str) -> Chart:
    """The curves of a single run."""
    events = lab.events(run, who)[0]
    lines = [
        Line(say(key, language), [Point(x, y) for x, y in live.points(events, kind)], place)
        for place, (kind, key) in enumerate(
            (("train", "chart.train"), ("heldout", "chart.heldout"))
        )
    ]
    return Chart("", lines, Axis(say("chart.step", language)), Axis(say("chart.loss", language)))


def panel(chart: Chart, plots: Any) -> Any:
    curves = [
        plots.Curve(
            line.name, [(p.x, p.y, p.low, p.high) for p in line.points], line.style, line.lined
        )
        for line in chart.lines
        if line.points
    ]
    return plots.Panel(
        chart.title, curves, chart.x.label, chart.y.label, chart.x.log, chart.x.marks
    )


def facts(told: dict[str, Any], language: str) -> list[str]:
    """What it takes to do it again: settings, machine, versions, data."""
    settings, machine = told["settings"], told.get("machine") or {}
    experiment = told.get("experiment") or {}
    rates = experiment.get("rates")
    written = say(f"ranklab.rates.{rates}", language) if rates else _rate(settings, language)
    sets = experiment.get("datasets") or [told["data"]]
    versions = " · ".join(f"{name} {version}" for name, version in told.get("versions", {}).items())
    place = " · ".join(str(machine[name]) for name in ("device", "precision") if name in machine)
    trained = {"seed": settings["seed"], "steps": settings["steps"], "rates": written}
    return [
        say("report.facts", language, machine=place, **trained),
        say("report.versions", language, versions=versions),
        *(
            say("report.data", language, name=each["name"], fingerprint=each["fingerprint"][:16])
            for each in sets
        ),
        told["id"],
    ]


def _rate(settings: dict[str, Any], language: str) -> str:
    return number(settings["learning_rate"], language)


def rows(told: dict[str, Any]) -> list[dict[str, Any]]:
    """An experiment's figures, a row for arms that differ by their seed alone."""
    sets = {each["data"]: each for each in told["experiment"]["datasets"]}
    common = {
        "experiment": told["experiment"]["kind"],
        "run": told["id"],
        "model": told["settings"]["model"],
    }
    return [
        {
            **common,
            "data": sets[group["data"]]["name"],
            "fingerprint": sets[group["data"]]["fingerprint"],
            "arm": group["label"],
            "rows": group["rows"] or "",
            "seeds": len(group["losses"]),
            "changes": " ".join(f"{name}={value}" for name, value in group["changes"].items()),
            **{name: group[name] for name in FIGURES},
        }
        for group in told["groups"]
    ]
