"""What a sweep of alpha shows: the loss and the size of the update, for both scalings (S15)."""

from __future__ import annotations

from statistics import mean

from lora_lab.lab.standings import ONE_SEED_NOISE
from lora_lab.lora.targets import layer_of
from lora_lab.ui import arms, markup
from lora_lab.ui.arms import Told
from lora_lab.ui.plane import STYLES, Axis, Chart, Line, Point
from lora_lab.ui.views.curves import curves, loss_axis
from lora_lab.words import number, say


def charts(told: Told, language: str) -> list[Chart]:
    """Loss over alpha for each scaling; the curves and the update's size by layer of alpha / r."""
    groups = arms.ended(told)
    plain = [group for group in told["groups"] if _scaling(group) == "plain"]
    live = curves(
        plain, told, language, lambda group: _name(group, language), "ranklab.alpha.curves"
    )
    if not groups:
        return live
    return [_over_alpha(groups, told, language), *live, _by_layer(groups, language)]


def _over_alpha(groups: list[Told], told: Told, language: str) -> Chart:
    scalings = list(dict.fromkeys(_scaling(group) for group in groups))
    lines = [
        Line(
            say(f"ranklab.scaling.{scaling}", language),
            [
                Point(_alpha(g), g["heldout_loss"], _told(g, g["heldout_loss"], language))
                for g in sorted(groups, key=_alpha)
                if _scaling(g) == scaling
            ],
            place,
        )
        for place, scaling in enumerate(scalings)
    ]
    marks = [(each, number(each, language)) for each in sorted({_alpha(g) for g in groups})]
    x = Axis(say("ranklab.axis.alpha", language, rank=told["settings"]["rank"]), True, marks)
    return Chart(say("ranklab.alpha.chart", language), lines, x, loss_axis(language))


def _by_layer(groups: list[Told], language: str) -> Chart:
    """‖ΔW‖ / ‖W0‖, the mean over a layer's matrices, a line an alpha of the plain scaling."""
    lines = []
    plain = [g for g in groups if _scaling(g) == "plain" and g["update"]]
    for place, group in enumerate(plain):
        layers: dict[int, list[float]] = {}
        for path, share in group["update"].items():
            layer = layer_of(path)
            if layer is not None:
                layers.setdefault(layer, []).append(100 * share)
        points = [
            Point(
                layer, mean(sizes), f"{_name(group, language)}: {_percent(mean(sizes), language)}"
            )
            for layer, sizes in sorted(layers.items())
        ]
        lines.append(Line(_name(group, language), points, place % STYLES))
    seen = sorted({point.x for line in lines for point in line.points})
    x = Axis(say("ranklab.axis.layer", language), marks=[(at, str(at)) for at in seen])
    y = Axis(say("ranklab.axis.update", language), write=lambda size: _percent(size, language))
    return Chart(say("ranklab.update.chart", language), lines, x, y)


def verdict(told: Told, language: str) -> str:
    """The best of them and those that one seed cannot tell from it; what alpha does to the size."""
    groups = arms.ended(told)
    if not groups:
        return ""
    best = min(groups, key=lambda g: g["heldout_loss"])
    near = [g for g in groups if 0 < g["heldout_loss"] - best["heldout_loss"] <= ONE_SEED_NOISE]
    text = say(
        "ranklab.alpha.best",
        language,
        best=_setting(best, language),
        loss=number(best["heldout_loss"], language, 3),
        rank=told["settings"]["rank"],
    )
    others = ", ".join(_setting(group, language) for group in near)
    noise = number(ONE_SEED_NOISE, language, 2)
    as_good = say("ranklab.alpha.near", language, noise=noise, others=others) if near else ""
    return markup.verdict(text, as_good, _sizes(groups, language))


def _sizes(groups: list[Told], language: str) -> str:
    plain = sorted((g for g in groups if _scaling(g) == "plain" and g["update"]), key=_alpha)
    if len(plain) < 2:
        return ""
    small, large = (100 * mean(plain[at]["update"].values()) for at in (0, -1))
    return say(
        "ranklab.alpha.update" if small < large else "ranklab.alpha.shrinks",
        language,
        low=number(_alpha(plain[0]), language),
        high=number(_alpha(plain[-1]), language),
        small=number(small, language),
        large=number(large, language),
    )


def table(told: Told, language: str) -> str:
    groups, rank = arms.ended(told), told["settings"]["rank"]
    if not groups:
        return ""
    best = min(groups, key=lambda g: g["heldout_loss"])
    rows = []
    for group in groups:
        factor = _alpha(group) / (rank if _scaling(group) == "plain" else rank**0.5)
        update = mean(group["update"].values()) if group["update"] else None
        cells = [
            f"{number(_alpha(group), language)} · {_beside(_alpha(group), rank)}",
            say(f"ranklab.scaling.{_scaling(group)}", language),
            f"× {number(factor, language)}",
            arms.loss_of(group, language),
            arms.NO_FIGURE if update is None else _percent(100 * update, language),
        ]
        rows.append((cells, group is best))
    rate = number(groups[0]["learning_rate"], language)
    caption = say("ranklab.alpha.caption", language, rate=rate)
    heads = ("alpha", "scaling", "factor", "loss", "update")
    return arms.table(heads, rows, caption, language)


def _alpha(group: Told) -> float:
    return group["changes"]["alpha"]


def _scaling(group: Told) -> str:
    return group["changes"].get("scaling", "plain")


def _name(group: Told, language: str) -> str:
    return f"α {number(_alpha(group), language)}"


def _setting(group: Told, language: str) -> str:
    return f"{_name(group, language)} ({say(f'ranklab.scaling.{_scaling(group)}', language)})"


def _told(group: Told, loss: float, language: str) -> str:
    return f"{_name(group, language)}: {number(loss, language, 3)}"


def _percent(size: float, language: str) -> str:
    return f"{number(size, language)}\u00a0%"


def _beside(alpha: float, rank: int) -> str:
    sign = "<" if alpha < rank else ">" if alpha > rank else "="
    return f"α {sign} r"
