"""What a low rank keeps and costs, as the bench and the look inside an adapter show it."""

from __future__ import annotations

from typing import Any

from lora_lab import lab
from lora_lab.errors import LabError
from lora_lab.models.catalogue import CATALOGUE, COUNTED_ONLY
from lora_lab.runs import folder
from lora_lab.runs.folder import Run
from lora_lab.ui import live
from lora_lab.ui.markup import caption, note, safe, verdict
from lora_lab.words import number, say

NINE_TENTHS = 0.9
Events = list[dict[str, Any]]
# What answers (a key), at which rank, how many numbers, which error of the matrices, which loss.
Row = tuple[str, int | None, int | None, float | None, float]


def finished(who: str, language: str, *, full: bool = False) -> list[tuple[str, str]]:
    """(title, id) of one's runs that left an adapter with A and B, newest first; full: those of
    full fine-tuning too."""
    without = ("prefix",) if full else ("prefix", "full")
    seed = say("setting.seed.label", language).lower()
    return [
        (f"{live.title(run, language)} · {seed} {run['settings']['seed']}", run["id"])
        for run in lab.runs(who)
        if run["adapter"] and run["settings"].get("method", "lora") not in without
    ]


def offered(model: str) -> str:
    """The model's name, once it is one that the lists here offer: a page sends what it likes, and
    on a shared server no folder of the machine may be looked into."""
    if model in COUNTED_ONLY or any(model == known.name for known in CATALOGUE):
        return model
    raise LabError("local_path_on_shared_server", model=str(model)[:200])


def chosen(run_id: str | None, who: str) -> Run:
    """The run that was chosen from a list of finished ones."""
    if not run_id:
        raise LabError("no_adapter_chosen")
    return folder.owned(run_id, who)


def percent(share: float, language: str) -> str:
    """A share in hundredths; what rounding leaves of a zero is a zero."""
    return number(100 * share if share > 1e-6 else 0, language)


def hero(told: dict[str, Any], language: str) -> str:
    """The two numbers that the whole bench is about: 81 → 18, and the error they cost."""
    original, kept = (number(told[name], language) for name in ("original", "kept"))
    error = percent(told["relative_error"], language)
    numbers = say("bench.numbers", language)
    label = say("bench.hero", language, original=told["original"], kept=told["kept"], error=error)
    more = "more" if told["kept"] > told["original"] else "less"
    return (
        f'<p class="hero {more}" role="status" aria-label="{safe(label)}">'
        f"<strong>{original} → {kept}</strong> <span>{safe(numbers)}</span>"
        f" <strong>{safe(error)}\u00a0%</strong>"
        f" <span>{safe(say('bench.error', language))}</span></p>"
    )


def cut_table(events: Events, language: str) -> str:
    """W0 cut to each rank beside the base and the adapters; empty before the base is measured."""
    base = next((event for event in events if event["kind"] == "base"), None)
    if base is None:
        return ""
    rows: list[Row] = [("bench.row.base", None, base["original"], None, base["loss"])]
    rows += [
        ("bench.row.adapter", e["rank"], e["trainable"], None, e["loss"])
        for e in events
        if e["kind"] == "adapter"
    ]
    rows += [
        ("bench.row.cut", e["rank"], e["kept"], e["relative_error"], e["loss"])
        for e in events
        if e["kind"] == "cut"
    ]
    return _verdict(events, base, language) + _table(rows, base, language)


def compressed_table(events: Events, language: str) -> str:
    """An adapter at each lower rank beside the base."""
    base = next((event for event in events if event["kind"] == "base"), None)
    if base is None:
        return ""
    rows: list[Row] = [("bench.row.base", None, None, None, base["loss"])]
    rows += [
        ("bench.row.compressed", e["rank"], e["trainable"], e["relative_error"], e["loss"])
        for e in events
        if e["kind"] == "compressed"
    ]
    look = note("inside.compress.look", language)
    return _enough(events, base, language) + look + _table(rows, base, language)


def _table(rows: list[Row], base: dict[str, Any], language: str) -> str:
    top = max(loss for *_, loss in rows)
    heads = ("bench.head.what", "bench.head.numbers", "bench.head.error", "bench.head.loss")
    head = "".join(f'<th scope="col">{safe(say(key, language))}</th>' for key in heads)
    body = "".join(_row(row, top, language) for row in rows)
    data = live.data_name(base["data"], language)
    name = say("bench.caption", language, data=data, rows=base["rows"])
    return (
        f'<div class="scrolled" tabindex="0"><table class="figures losses">'
        f"{caption(name)}<tr>{head}</tr>{body}</table></div>"
    )


def _row(row: Row, top: float, language: str) -> str:
    key, rank, numbers, error, loss = row
    name = say(key, language, rank=rank) if rank is not None else say(key, language)
    kept = "–" if numbers is None else number(numbers, language)
    lost = "–" if error is None else f"{percent(error, language)}\u00a0%"
    look = key.rpartition(".")[2]
    bar = f'<span class="loss-bar {look}" style="width:{100 * loss / top:.0f}%"></span>'
    return (
        f'<tr><th scope="row">{safe(name)}</th><td>{kept}</td><td>{lost}</td>'
        f"<td>{number(loss, language, 3)}{bar}</td></tr>"
    )


def _verdict(events: Events, base: dict[str, Any], language: str) -> str:
    """In one sentence, what the same number of numbers did as a copy of W0 and as an update."""
    adapter = next((e for e in events if e["kind"] == "adapter"), None)
    cuts = {e["rank"]: e for e in events if e["kind"] == "cut"}
    if adapter is None or adapter["rank"] not in cuts:
        return ""
    losses = {
        "base": base["loss"], "adapter": adapter["loss"], "cut": cuts[adapter["rank"]]["loss"],
    }  # fmt: skip
    written = {name: number(loss, language, 2) for name, loss in losses.items()}
    holds = losses["cut"] > losses["base"] > losses["adapter"]
    key = "bench.verdict.holds" if holds else "bench.verdict.fails"
    return verdict(say(key, language, rank=adapter["rank"], **written))


def _enough(events: Events, base: dict[str, Any], language: str) -> str:
    """Whether half the rank keeps nine tenths of the fall of the loss."""
    told = [event for event in events if event["kind"] == "compressed"]
    whole = max(told, key=lambda event: event["rank"], default=None)
    if whole is None or whole["relative_error"] > 0.001 or whole["loss"] >= base["loss"]:
        return ""
    least = base["loss"] - NINE_TENTHS * (base["loss"] - whole["loss"])
    rank = next(event["rank"] for event in told if event["loss"] <= least)
    key = "inside.verdict.holds" if 2 * rank <= whole["rank"] else "inside.verdict.fails"
    text = say(key, language, rank=rank, whole=whole["rank"])
    return verdict(text)
