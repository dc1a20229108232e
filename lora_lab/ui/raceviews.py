"""What a race shows: pure functions from what lab.experiment tells to charts and sentences."""

from __future__ import annotations

from lora_lab import lab
from lora_lab.ui import arms
from lora_lab.ui.arms import Told
from lora_lab.ui.markup import safe
from lora_lab.ui.plane import STYLES, Axis, Chart, Line, Point
from lora_lab.words import byte_size, number, say

# What may stand along the lower axis of a race, and beside it.
ACROSS = ("rank", "trainable", "adapter_bytes", "seconds", "memory_bytes")
UP = ("heldout_loss", "base_text_loss")
TWICE = 2.0  # so much more must a far task gain for the claim to hold
INITS = {"gaussian": "B = 0", "zeros": "A = B = 0", "both-gaussian": "A, B ≠ 0", "pissa": "PiSSA"}


def charts(
    told: Told, language: str, across: str = "rank", up: str = "heldout_loss"
) -> list[Chart]:
    """The live curves of each dataset, then quality against rank."""
    drawn = curves(told, language)
    if any(group["seconds"] is not None for group in told["groups"]):
        drawn.append(quality(told, language, across, up))
    return drawn


def notes(told: Told, language: str) -> str:
    """What came of it in sentences, the table, and the points of a search."""
    sentences = "".join(
        f'<p class="verdict">{safe(text)}</p>' for text in race_sentences(told, language) if text
    )
    return sentences + arms.race_table(told, language) + arms.searched(told, language)


def curves(told: Told, language: str, groups: list[Told] | None = None) -> list[Chart]:
    """Held-out loss over steps, a chart a dataset, a curve an arm. groups: some of the arms."""
    by_data: dict[str, list[Told]] = {}
    for group in told["groups"] if groups is None else groups:
        by_data.setdefault(group["data"], []).append(group)
    x, y = Axis(say("chart.step", language)), Axis(say("ranklab.axis.heldout_loss", language))
    return [
        Chart(
            say("ranklab.curves", language, data=arms.dataset_name(data, told, language)),
            [_curve(place, group, told, language) for place, group in enumerate(some)],
            x,
            y,
        )
        for data, some in by_data.items()
    ]


def _curve(place: int, group: Told, told: Told, language: str) -> Line:
    name = _name(group, told, language)
    points = [
        Point(
            step,
            loss,
            say("chart.point", language, name=name, step=step, loss=number(loss, language, 3)),
            low if low < high else None,
            high if low < high else None,
        )
        for step, loss, low, high in group["curve"]
    ]
    return Line(name, points, place % STYLES)


def _name(group: Told, told: Told, language: str) -> str:
    """An arm in a chart's legend."""
    kind = told["experiment"]["kind"]
    if kind == "race":
        return arms.short(group["label"], language)
    if kind == "init":
        return INITS[group["label"]]
    return f"α {number(group['changes']['alpha'], language)}"


def quality(told: Told, language: str, across: str, up: str) -> Chart:
    """One curve a dataset over the ranks; what has no rank stands beside them."""
    lines: list[Line] = []
    datasets = list(dict.fromkeys(group["data"] for group in told["groups"]))
    others = sorted({g["label"] for g in told["groups"] if not g["label"].isdigit()})
    ranks = sorted({int(g["label"]) for g in told["groups"] if g["label"].isdigit()})
    last = ranks[-1] if ranks else 1
    beyond = {label: last * 4.0 ** (1 + place) for place, label in enumerate(others)}
    for place, data in enumerate(datasets):
        here = [g for g in told["groups"] if g["data"] == data and g[up] is not None]
        name = arms.dataset_name(data, told, language)
        ranked = [g for g in here if g["label"].isdigit()]
        rest = [g for g in here if not g["label"].isdigit()]
        for name_, some, lined in ((name, ranked, True), ("", rest, False)):
            points = [_point(group, across, up, beyond, language) for group in some]
            points.sort(key=lambda point: point.x)
            lines.append(Line(name_, points, place % STYLES, lined))
    marks = [(float(rank), str(rank)) for rank in ranks]
    marks += [(beyond[label], say(f"arm.{label}.short", language)) for label in others]
    sized = across in ("adapter_bytes", "memory_bytes")
    x = Axis(
        say(f"ranklab.axis.{across}", language),
        log=across not in ("seconds", "memory_bytes"),
        marks=marks if across == "rank" else [],
        write=(lambda size: byte_size(size, language)) if sized else None,
    )
    y = Axis(say(f"ranklab.axis.{up}", language))
    return Chart(say("ranklab.quality", language), lines, x, y)


def _point(group: Told, across: str, up: str, beyond: dict[str, float], language: str) -> Point:
    label = group["label"]
    x = float(label) if label.isdigit() else beyond[label]
    told = f"{arms.name(label, language)}: {number(group[up], language, 3)}"
    low = high = None
    if up == "heldout_loss" and group["spread"] is not None:
        low, high = group[up] - group["spread"], group[up] + group["spread"]
        told += f" ± {number(group['spread'], language, 3)}"
    return Point(x if across == "rank" else group[across], group[up], told, low, high)


def race_sentences(told: Told, language: str) -> list[str]:
    """The smallest rank that is good enough, by dataset; and what rank buys on each."""
    sentences = []
    for data, found in told["smallest"].items():
        key = "ranklab.smallest.seeds" if found["seeds"] > 1 else "ranklab.smallest.one"
        if found["rank"] == found["best"]:
            key = "ranklab.smallest.itself"
        facts = {"rank": found["rank"], "best": found["best"], "seeds": found["seeds"]}
        noise = number(found["noise"], language, 3)
        where = arms.dataset_name(data, told, language)
        sentences.append(say(key, language, data=where, noise=noise, **facts))
    return [*sentences, *_gains(told, language)]


def _claim(gains: dict[str, tuple[int, int, float]], language: str) -> str:
    """Whether the far tasks gain at least twice what the near ones do; empty where either kind is
    missing."""
    distance = {sample["name"]: sample["distance"] for sample in lab.sample_datasets()}
    near, far = (
        [gain for data, (_, _, gain) in gains.items() if distance.get(data) == wanted]
        for wanted in ("near", "far")
    )
    if not near or not far:
        return ""
    holds = min(far) >= TWICE * max(near) and min(far) > 0
    return say(f"ranklab.claim.{'holds' if holds else 'fails'}", language)


def _gains(told: Told, language: str) -> list[str]:
    """How much the lowest and the highest rank differ, and on which dataset more (S13)."""
    gains: dict[str, tuple[int, int, float]] = {}
    for data in told["smallest"]:
        ranked = {
            int(g["label"]): g["heldout_loss"]
            for g in told["groups"]
            if g["data"] == data and g["label"].isdigit()
        }
        low, high = min(ranked), max(ranked)
        gains[data] = low, high, ranked[low] - ranked[high]
    if len(gains) < 2:
        return []
    least, *_, most = sorted(gains, key=lambda data: gains[data][2])
    low, high, gain = gains[most]
    return [
        _claim(gains, language),
        say(
            "ranklab.gain" if gains[least][2] > 0 else "ranklab.loss_of_rank",
            language,
            low=low,
            high=high,
            most=arms.dataset_name(most, told, language),
            least=arms.dataset_name(least, told, language),
            gain=number(gain, language, 2),
            other=number(gains[least][2], language, 2),
        ),
    ]
