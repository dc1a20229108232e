"""What a race shows: curves, quality against rank, and what rank buys on each dataset (S13)."""

from __future__ import annotations

from math import hypot

from lora_lab import lab
from lora_lab.ui import arms, markup
from lora_lab.ui.arms import Told
from lora_lab.ui.plane import STYLES, Axis, Chart, Line, Point
from lora_lab.ui.views.curves import curves, loss_axis
from lora_lab.words import byte_size, number, say

# What may stand along the lower axis of a race, and beside it.
ACROSS = ("rank", "trainable", "adapter_bytes", "seconds", "memory_bytes")
UP = ("heldout_loss", "base_text_loss")
TWICE = 2.0  # so much more must a far task gain for the claim to hold


def charts(
    told: Told, language: str, across: str = "rank", up: str = "heldout_loss"
) -> list[Chart]:
    """Quality against rank once there is some, and the live curves of each dataset."""
    main = [quality(told, language, across, up)] if arms.ended(told) else []
    return main + curves(
        told["groups"], told, language, lambda group: arms.short(group["label"], language)
    )


def verdict(told: Told, language: str) -> str:
    """What rank buys on each dataset, and the smallest rank that is good enough there."""
    return markup.verdict(*_gains(told, language), *_smallest(told, language))


def table(told: Told, language: str) -> str:
    return arms.race_table(told, language) + arms.searched(told, language)


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
    y = loss_axis(language) if up == "heldout_loss" else Axis(say(f"ranklab.axis.{up}", language))
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


def _smallest(told: Told, language: str) -> list[str]:
    sentences = []
    for data, found in told["smallest"].items():
        key = "ranklab.smallest.seeds" if found["seeds"] > 1 else "ranklab.smallest.one"
        if found["rank"] == found["best"]:
            key = "ranklab.smallest.itself"
        facts = {"rank": found["rank"], "best": found["best"], "seeds": found["seeds"]}
        noise = number(found["noise"], language, 2)
        where = arms.dataset_name(data, told, language)
        sentences.append(say(key, language, data=where, noise=noise, **facts))
    return sentences


def _gains(told: Told, language: str) -> list[str]:
    """How much the lowest and the highest rank differ, and on which dataset more (S13)."""
    losses = {
        data: {
            int(g["label"]): g["heldout_loss"]
            for g in arms.ended(told)
            if g["data"] == data and g["label"].isdigit()
        }
        for data in told["smallest"]
    }
    shared = set.intersection(*(set(each) for each in losses.values())) if losses else set()
    if len(losses) < 2 or len(shared) < 2:
        return []
    low, high = min(shared), max(shared)
    gains = {data: each[low] - each[high] for data, each in losses.items()}
    least, *_, most = sorted(gains, key=gains.__getitem__)
    return [
        _claim(gains, told, language),
        say(
            "ranklab.gain" if gains[least] > 0 else "ranklab.loss_of_rank",
            language,
            low=low,
            high=high,
            most=arms.dataset_name(most, told, language),
            least=arms.dataset_name(least, told, language),
            gain=number(gains[most], language, 2),
            other=number(gains[least], language, 2),
        ),
    ]


def _claim(gains: dict[str, float], told: Told, language: str) -> str:
    """Whether the far tasks gain more than the near ones, beyond noise, and whether twice as much;
    empty where either kind is missing."""
    distance = {sample["name"]: sample["distance"] for sample in lab.sample_datasets()}
    near, far = (
        [data for data in gains if distance.get(data) == wanted] for wanted in ("near", "far")
    )
    if not near or not far:
        return ""
    least, most = min(far, key=gains.__getitem__), max(near, key=gains.__getitem__)
    noise = hypot(*(told["smallest"][data]["noise"] for data in (least, most)))
    more = gains[least] - gains[most] > noise and gains[least] > 0
    twice = gains[least] >= TWICE * gains[most]
    return say(
        f"ranklab.claim.{'holds' if more and twice else 'partly' if more else 'fails'}", language
    )
