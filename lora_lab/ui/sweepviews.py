"""What the sweeps show: alpha, alpha and learning rate, few examples, inits. Pure functions from
what lab.experiment tells to HTML."""

from __future__ import annotations

import re
from statistics import mean, pstdev
from typing import Any

from lora_lab.ui import arms
from lora_lab.ui.arms import Told
from lora_lab.ui.markup import safe
from lora_lab.ui.plane import STYLES, Axis, Chart, Line, Point
from lora_lab.ui.raceviews import curves
from lora_lab.words import number, say

LAYER = re.compile(r"\.(\d+)\.")


def alpha_charts(told: Told, language: str) -> list[Chart]:
    """The curves of alpha / r, loss over alpha for each scaling, the update's size by layer."""
    groups = _ended(told)
    drawn = curves(told, language, [g for g in told["groups"] if _scaling(g) == "plain"])
    if groups:
        drawn += [_over_alpha(groups, told, language), _by_layer(groups, language)]
    return drawn


def alpha_notes(told: Told, language: str) -> str:
    groups = _ended(told)
    if not groups:
        return ""
    return _alpha_sentence(groups, told, language) + _alpha_table(groups, told, language)


def _over_alpha(groups: list[Told], told: Told, language: str) -> Chart:
    lines = []
    for place, scaling in enumerate(_scalings(groups)):
        some = sorted(
            (g for g in groups if _scaling(g) == scaling), key=lambda g: g["changes"]["alpha"]
        )
        name = say(f"ranklab.scaling.{scaling}", language)
        points = [
            Point(
                g["changes"]["alpha"],
                g["heldout_loss"],
                f"α {number(g['changes']['alpha'], language)}: "
                f"{number(g['heldout_loss'], language, 3)}",
            )
            for g in some
        ]
        lines.append(Line(name, points, place))
    marks = sorted({g["changes"]["alpha"] for g in groups})
    x = Axis(
        say("ranklab.axis.alpha", language, rank=told["settings"]["rank"]),
        log=True,
        marks=[(value, number(value, language)) for value in marks],
    )
    y = Axis(say("ranklab.axis.heldout_loss", language))
    return Chart(say("ranklab.alpha.chart", language), lines, x, y)


def _by_layer(groups: list[Told], language: str) -> Chart:
    """‖ΔW‖ / ‖W0‖, the mean over a layer's matrices, a line an alpha of the plain scaling."""
    lines = []
    plain = [g for g in groups if _scaling(g) == "plain" and g["update"]]
    for place, group in enumerate(plain):
        layers: dict[int, list[float]] = {}
        for path, share in group["update"].items():
            found = LAYER.search(path)
            layers.setdefault(int(found[1]) if found else -1, []).append(share)
        name = f"α {number(group['changes']['alpha'], language)}"
        points = [
            Point(layer, 100 * mean(shares), f"{name}: {number(100 * mean(shares), language)} %")
            for layer, shares in sorted(layers.items())
            if layer >= 0
        ]
        lines.append(Line(name, points, place % STYLES))
    seen = sorted({point.x for line in lines for point in line.points})
    x = Axis(say("ranklab.axis.layer", language), marks=[(at, str(at)) for at in seen])
    y = Axis(say("ranklab.axis.update", language))
    return Chart(say("ranklab.update.chart", language), lines, x, y)


def _alpha_sentence(groups: list[Told], told: Told, language: str) -> str:
    rank = told["settings"]["rank"]
    best = min(groups, key=lambda g: g["heldout_loss"])
    plain = [g for g in groups if _scaling(g) == "plain" and g["update"]]
    small, large = (
        pick(plain, key=lambda g: g["changes"]["alpha"]) if plain else None for pick in (min, max)
    )
    text = say(
        "ranklab.alpha.best",
        language,
        alpha=number(best["changes"]["alpha"], language),
        scaling=say(f"ranklab.scaling.{_scaling(best)}", language),
        loss=number(best["heldout_loss"], language, 3),
        rank=rank,
    )
    if small and large and small is not large:
        text += " " + say(
            "ranklab.alpha.update",
            language,
            low=number(small["changes"]["alpha"], language),
            high=number(large["changes"]["alpha"], language),
            small=number(100 * mean(small["update"].values()), language),
            large=number(100 * mean(large["update"].values()), language),
        )
    return f'<p class="verdict">{safe(text)}</p>'


def _alpha_table(groups: list[Told], told: Told, language: str) -> str:
    rank = told["settings"]["rank"]
    best = min(groups, key=lambda g: g["heldout_loss"])
    rows = []
    for group in groups:
        value, scaling = group["changes"]["alpha"], _scaling(group)
        factor = value / (rank if scaling == "plain" else rank**0.5)
        update = mean(group["update"].values()) if group["update"] else None
        cells = [
            f"{number(value, language)} · {_beside(value, rank)}",
            say(f"ranklab.scaling.{scaling}", language),
            f"× {number(factor, language)}",
            arms.loss_of(group, language),
            arms.NO_FIGURE if update is None else f"{number(100 * update, language)} %",
        ]
        rows.append((cells, group is best))
    caption = say("ranklab.alpha.caption", language, rate=number(_rate(groups), language))
    heads = ("alpha", "scaling", "factor", "loss", "update")
    return arms.table(heads, rows, caption, language)


def _beside(alpha_: float, rank: int) -> str:
    sign = "<" if alpha_ < rank else ">" if alpha_ > rank else "="
    return f"α {sign} r"


def grid_charts(told: Told, language: str) -> list[Chart]:
    """Loss over the learning rate, a line an alpha."""
    groups = _ended(told)
    lines = []
    for place, each in enumerate(sorted({g["changes"]["alpha"] for g in groups})):
        some = [g for g in groups if g["changes"]["alpha"] == each]
        name = f"α {number(each, language)}"
        points = [
            Point(g["learning_rate"], g["heldout_loss"], f"{name}: {arms.loss_of(g, language)}")
            for g in sorted(some, key=lambda g: g["learning_rate"])
        ]
        lines.append(Line(name, points, place))
    marks = sorted({g["learning_rate"] for g in groups})
    x = Axis(
        say("ranklab.axis.rate", language),
        log=True,
        marks=[(rate, number(rate, language)) for rate in marks],
    )
    y = Axis(say("ranklab.axis.heldout_loss", language))
    return [Chart(say("ranklab.grid.title", language), lines, x, y)] if groups else []


def grid_notes(told: Told, language: str) -> str:
    """Loss by alpha (down) and learning rate (across), the number in each cell."""
    groups = told["groups"]
    alphas = sorted({g["changes"]["alpha"] for g in groups})
    rates = sorted({g["changes"]["learning_rate"] for g in groups})
    cells = {(g["changes"]["alpha"], g["changes"]["learning_rate"]): g for g in groups}
    known = [g["heldout_loss"] for g in groups if g["heldout_loss"] is not None]
    head = "".join(f'<th scope="col">{safe(number(rate, language))}</th>' for rate in rates)
    rows = "".join(
        f'<tr><th scope="row">α {safe(number(each, language))}</th>'
        + "".join(_cell(cells[each, rate], known, language) for rate in rates)
        + "</tr>"
        for each in alphas
    )
    caption = safe(say("ranklab.grid.caption", language))
    corner = safe(say("ranklab.grid.corner", language))
    drawn = (
        f'<div class="scrolled" tabindex="0"><table class="figures cells"><caption>{caption}'
        f'</caption><tr><th scope="col">{corner}</th>{head}</tr>{rows}</table></div>'
    )
    return drawn + _grid_sentence(groups, language)


def _cell(group: Told, known: list[float], language: str) -> str:
    loss = group["heldout_loss"]
    if loss is None:
        last = group["curve"][-1][1] if group["curve"] and not group["failed"] else None
        text = arms.loss_of(group, language) if last is None else f"({number(last, language, 2)})"
        return f"<td>{safe(text)}</td>"
    low, high = min(known), max(known)
    share = 0.0 if high == low else (high - loss) / (high - low)
    mark = " ★" if loss == low else ""
    return (
        f'<td style="--share:{share:.2f}" class="heat-cell">{number(loss, language, 2)}{mark}</td>'
    )


def _grid_sentence(groups: list[Told], language: str) -> str:
    """How far alpha acts as a rate: do cells of the same alpha × rate come to the same loss?"""
    done = [g for g in groups if g["heldout_loss"] is not None]
    if len(done) < len([g for g in groups if not g["failed"]]) or len(done) < 4:
        return ""
    lines: dict[float, list[float]] = {}
    for group in done:
        product = group["changes"]["alpha"] * group["changes"]["learning_rate"]
        lines.setdefault(float(f"{product:.3g}"), []).append(group["heldout_loss"])
    several = [losses for losses in lines.values() if len(losses) > 1]
    if not several:
        return ""
    within = mean(pstdev(losses) for losses in several)
    overall = pstdev([g["heldout_loss"] for g in done])
    key = "ranklab.grid.holds" if within < overall / 2 else "ranklab.grid.fails"
    facts = {"within": number(within, language, 2), "overall": number(overall, language, 2)}
    return f'<p class="verdict">{safe(say(key, language, **facts))}</p>'


def few_charts(told: Told, language: str) -> list[Chart]:
    """Held-out loss over the number of training rows, LoRA and full fine-tuning."""
    by_arm = _by_rows(told)
    if not by_arm:
        return []
    lines = []
    for place, (label, losses) in enumerate(by_arm.items()):
        name = arms.short(label, language)
        points = [
            Point(rows, loss, f"{name}, {number(rows, language)}: {number(loss, language, 3)}")
            for rows, loss in losses.items()
        ]
        lines.append(Line(name, points, place))
    seen = sorted({rows for losses in by_arm.values() for rows in losses})
    marks = [(float(rows), number(rows, language)) for rows in seen]
    x = Axis(say("ranklab.axis.rows", language), log=True, marks=marks)
    y = Axis(say("ranklab.axis.heldout_loss", language))
    return [Chart(say("ranklab.few.chart", language), lines, x, y)]


def few_notes(told: Told, language: str) -> str:
    groups = _ended(told)
    if not groups:
        return ""
    return _few_sentence(_by_rows(told), groups, language) + _few_table(groups, told, language)


def _by_rows(told: Told) -> dict[str, dict[int, float]]:
    """Arm -> rows seen -> held-out loss, of what has ended."""
    losses: dict[str, dict[int, float]] = {}
    for group in sorted(_ended(told), key=lambda g: _rows(g, told)):
        losses.setdefault(group["label"], {})[_rows(group, told)] = group["heldout_loss"]
    return losses


def _rows(group: Told, told: Told) -> int:
    """How many training rows an arm really saw."""
    sets = told["experiment"]["datasets"]
    rows = next(each["rows"] for each in sets if each["data"] == group["data"])
    most = rows - min(max(1, round(rows * told["settings"]["heldout_share"])), rows - 1)
    return min(group["rows"] or most, most)


def _few_sentence(lasts: dict[str, dict[int, float]], groups: list[Told], language: str) -> str:
    lora = next((label for label in lasts if label.isdigit()), None)
    if lora is None or "full" not in lasts:
        return ""
    shared = sorted(set(lasts[lora]) & set(lasts["full"]))
    if not shared:
        return ""
    before = groups[0]["heldout_loss_before"]
    rows, most = shared[0], shared[-1]
    key = "holds" if lasts[lora][rows] < before else "fails"
    text = say(
        f"ranklab.few.{key}",
        language,
        rows=rows,
        before=number(before, language, 2),
        lora=number(lasts[lora][rows], language, 2),
        full=number(lasts["full"][rows], language, 2),
        most=most,
        lora_most=number(lasts[lora][most], language, 2),
        full_most=number(lasts["full"][most], language, 2),
    )
    return f'<p class="verdict">{safe(text)}</p>'


def _few_table(groups: list[Told], told: Told, language: str) -> str:
    rows = [
        (
            [
                arms.name(group["label"], language),
                number(_rows(group, told), language),
                arms.loss_of(group, language),
                number(group["trainable"], language),
                number(group["learning_rate"], language),
            ],
            False,
        )
        for group in groups
    ]
    heads = ("arm", "rows", "loss", "trainable", "rate")
    return arms.table(heads, rows, say("ranklab.caption", language), language)


def init_charts(told: Told, language: str) -> list[Chart]:
    """The curves, each from what its init made of the base before the first step."""
    begun = [group for group in told["groups"] if group["begun"] is not None]
    groups = [
        {
            **group,
            "curve": [(0, group["begun"], group["begun"], group["begun"]), *group["curve"][1:]],
        }
        for group in begun
    ]
    return curves(told, language, groups)


def init_notes(told: Told, language: str) -> str:
    """The loss at step 0 beside the base's, and after, by init."""
    begun = [g for g in told["groups"] if g["begun"] is not None and g["curve"]]
    # Where the adapter is silent at first, the curve begins at the base.
    base = next((g["curve"][0][1] for g in begun if g["label"] in ("gaussian", "zeros")), None)
    if base is None:
        return ""
    rows = [
        (
            [
                say(f"setting.init.{group['label']}", language),
                number(group["begun"], language, 3),
                number(group["begun"] - base, language, 3),
                arms.loss_of(group, language),
                say(f"ranklab.init.{group['label']}", language),
            ],
            False,
        )
        for group in begun
    ]
    heads = ("init", "init_first", "init_away", "loss", "init_why")
    drawn = arms.table(heads, rows, say("ranklab.caption", language), language)
    return _init_sentence(begun, base, language) + drawn


def _init_sentence(begun: list[Told], base: float, language: str) -> str:
    stuck = next((g for g in begun if g["label"] == "zeros"), None)
    if stuck is None or any(group["heldout_loss"] is None for group in begun):
        return ""
    worst = max(begun, key=lambda g: abs(g["begun"] - base))
    text = say(
        "ranklab.init.verdict",
        language,
        stuck=number(stuck["heldout_loss"] - base, language, 3),
        worst=say(f"setting.init.{worst['label']}", language),
        away=number(worst["begun"] - base, language, 2),
    )
    return f'<p class="verdict">{safe(text)}</p>'


def _ended(told: Told) -> list[Told]:
    return [group for group in told["groups"] if group["heldout_loss"] is not None]


def _scaling(group: Told) -> str:
    return group["changes"].get("scaling", "plain")


def _scalings(groups: list[Told]) -> list[str]:
    return list(dict.fromkeys(_scaling(group) for group in groups))


def _rate(groups: list[Told]) -> Any:
    return groups[0]["learning_rate"]
