"""An experiment's arms as words and tables: names, how it stands, figures of each arm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lora_lab import lab, words
from lora_lab.errors import LabError
from lora_lab.ui import markup
from lora_lab.ui.live import bar, data_name, line, preparing
from lora_lab.ui.markup import problem_card, safe
from lora_lab.words import byte_size, duration, number, say

Told = dict[str, Any]  # what lab.experiment tells
NO_FIGURE = "–"


def title(run: dict[str, Any], language: str) -> str:
    """What an experiment is called: its kind, data and model, in one line of plain text."""
    experiment = run["experiment"]
    data = ", ".join(dataset_name(each["data"], run, language) for each in experiment["datasets"])
    model = run["settings"]["model"].rsplit("/", 1)[-1]
    kind = say(f"ranklab.{experiment['kind']}.title", language)
    return say("ranklab.title", language, kind=kind, data=data, model=model)


def dataset_name(data: str, told: Told, language: str) -> str:
    """A sample's title, or what the owner calls the file."""
    sets = told["experiment"]["datasets"]
    return data_name(next((each["name"] for each in sets if each["data"] == data), data), language)


def name(label: str, language: str) -> str:
    """An arm of a race as a person reads it: rank 8, full fine-tuning."""
    if label.isdigit():
        return say("arm.rank", language, rank=int(label))
    return say(f"arm.{label}.name", language)


def short(label: str, language: str) -> str:
    """The same where there is little room: r 8, full."""
    return f"r {label}" if label.isdigit() else say(f"arm.{label}.short", language)


def written(label: str, language: str) -> str:
    """Any experiment's arm as a person reads it: an init by its name, a number as it is."""
    for key in (f"arm.{label}.name", f"setting.init.{label}"):
        if key in words.table():
            return say(key, language)
    return name(label, language) if label.isdigit() else label


def adapters(told: Told, language: str) -> list[tuple[str, int]]:
    """(what a person reads, arm's number) of the arms that left an adapter."""
    return [
        (_described(group, number, told, language), number)
        for group in told["groups"]
        for number in group["ended"]
        if group["changes"].get("method", "lora") != "full"
    ]


def _described(group: Told, number: int, told: Told, language: str) -> str:
    seed = told["experiment"]["arms"][number]["changes"].get("seed")
    parts = [dataset_name(group["data"], told, language), _arm(group, told, language)]
    if seed is not None and len(group["arms"]) > 1:
        parts.append(f"{say('setting.seed.label', language).lower()} {seed}")
    return " · ".join(parts)


def _arm(group: Told, told: Told, language: str) -> str:
    kind, changes = told["experiment"]["kind"], group["changes"]
    if kind in ("alpha", "grid"):
        text = f"α {number(changes['alpha'], language)}"
        if kind == "grid":
            return f"{text} × {number(changes['learning_rate'], language)}"
        return f"{text} · {say('ranklab.scaling.' + changes['scaling'], language)}"
    text = written(group["label"], language)
    if group["rows"]:
        text += f" · {say('ranklab.some_rows', language, rows=group['rows'])}"
    return text


def standing(told: Told, place: dict[str, Any], language: str) -> str:
    """The card over the figures: which experiment, its state, how far it is and what is left."""
    state = told["state"]
    head = (
        f'<p class="run-title"><strong>{safe(title(told, language))}</strong> '
        f'<span class="state {safe(state)}">{safe(say(f"run.state.{state}", language))}</span></p>'
    )
    body = problem_card(LabError.from_json(told["error"]), language) if told["error"] else ""
    if state == "queued":
        body += line(say("queue.place", language, place=place.get("place", 1)))
    elif state == "running":
        body += _progress(told, language)
    elif state == "done":
        spent = duration(sum(g["seconds"] * len(g["arms"]) for g in ended(told)), language)
        foretold = duration(told["forecast"]["seconds"], language)
        body += line(say("ranklab.took", language, spent=spent, foretold=foretold))
    return f'<section class="standing" role="status">{head}{body}</section>'


def _progress(told: Told, language: str) -> str:
    now = told["round"]
    if now:
        left = duration(now["seconds_left"], language)
        text = say("ranklab.step", language, done=now["done"], total=now["total"], left=left)
        return bar(now["done"] / now["total"], text) + line(text)
    if told["searches"]:
        last = told["searches"][-1]
        arm = name(last["label"], language)
        return line(say("ranklab.searching", language, arm=arm, count=len(told["searches"])))
    return preparing(told["preparing"], language)


def ended(told: Told) -> list[Told]:
    """The arms that have a result."""
    return [group for group in told["groups"] if group["heldout_loss"] is not None]


def all_ended(told: Told) -> bool:
    """Whether no arm is still to come: what is concluded now stays true."""
    return all(
        len(group["ended"]) + group["failed"] == len(group["arms"]) for group in told["groups"]
    )


def loss_of(group: Told, language: str) -> str:
    """Mean held-out loss, with its spread over seeds."""
    if group["heldout_loss"] is None:
        return say("ranklab.diverged", language) if group["failed"] else NO_FIGURE
    spread = "" if group["spread"] is None else f" ± {number(group['spread'], language, 2)}"
    return number(group["heldout_loss"], language, 3) + spread


def race_table(told: Told, language: str) -> str:
    """A table a dataset, a row an arm; the smallest rank within noise of the best is marked."""
    by_data: dict[str, list[Told]] = {}
    for group in told["groups"]:
        if group["heldout_loss"] is not None or group["failed"]:
            by_data.setdefault(group["data"], []).append(group)
    heads = ("arm", "loss", "english", "trainable", "file", "rate", "seconds", "memory")
    drawn = []
    for data, groups in by_data.items():
        title = dataset_name(data, told, language)
        rows = [_race_row(group, told, language) for group in groups]
        drawn.append(
            table(heads, rows, say("ranklab.race.caption", language, data=title), language)
        )
    return "".join(drawn)


def _race_row(group: Told, told: Told, language: str) -> tuple[list[str], bool]:
    label, best = name(group["label"], language), _is_smallest(group, told)
    if best:
        label += f" · {say('ranklab.smallest.mark', language)}"
    cells = [
        label,
        loss_of(group, language),
        _english(group, told.get("base_text_loss"), language),
        _figure(group["trainable"], number, language),
        _figure(group["adapter_bytes"], byte_size, language),
        _figure(group["learning_rate"], number, language),
        _figure(group["seconds"], duration, language),
        byte_size(group["memory_bytes"], language),
    ]
    return cells, best


def _figure(value: float | None, write: Callable[[float, str], str], language: str) -> str:
    """An arm that diverged has no figures."""
    return NO_FIGURE if value is None else write(value, language)


def _english(group: Told, before: float | None, language: str) -> str:
    """The loss on the base's own kind of text, and what it was before."""
    after = group["base_text_loss"]
    if after is None or before is None:
        return NO_FIGURE
    change = number(after - before, language, 2)
    return f"{number(after, language, 2)} ({'+' if after >= before else ''}{change})"


def _is_smallest(group: Told, told: Told) -> bool:
    found = told["smallest"].get(group["data"])
    return bool(found) and str(found["rank"]) == group["label"]


def table(
    heads: Sequence[str], rows: list[tuple[list[str], bool]], caption: str, language: str
) -> str:
    """heads: keys of the words under ranklab.head. rows: the cells, the first of which names the
    row, and whether it is the one to look at."""
    named = [say(f"ranklab.head.{head}", language) for head in heads]
    head = "".join(f'<th scope="col">{safe(text)}</th>' for text in named)
    body = "".join(
        f'<tr{" class=best" if best else ""}><th scope="row">{safe(cells[0])}</th>'
        + "".join(f"<td>{safe(cell)}</td>" for cell in cells[1:])
        + "</tr>"
        for cells, best in rows
    )
    return (
        f'<div class="scrolled" tabindex="0"><table class="figures arms by-{heads[-1]}">'
        f"{markup.caption(caption)}<tr>{head}</tr>{body}</table></div>"
    )


def searched(told: Told, language: str) -> str:
    """The points of the search for learning rates, folded away."""
    if not told["searches"]:
        return ""
    points: dict[tuple[str, str], list[Told]] = {}
    for point in told["searches"]:
        points.setdefault((point["data"], point["label"]), []).append(point)
    rows = []
    for (data, label), tried in points.items():
        known = [p["loss"] for p in tried if p["loss"] is not None]
        cells = [
            f"{number(p['learning_rate'], language)}: "
            + (NO_FIGURE if p["loss"] is None else number(p["loss"], language, 3))
            + (" ✓" if known and p["loss"] == min(known) else "")
            for p in sorted(tried, key=lambda p: p["learning_rate"])
        ]
        first = f"{dataset_name(data, told, language)} · {name(label, language)}"
        rows.append(([first, " · ".join(cells)], False))
    inside = table(["arm", "loss"], rows, say("ranklab.points.caption", language), language)
    head = safe(say("ranklab.points.title", language))
    return f"<details><summary>{head}</summary>{inside}</details>"


def sample_names(language: str) -> list[tuple[str, str]]:
    return [(say(sample["title"], language), sample["name"]) for sample in lab.sample_datasets()]
