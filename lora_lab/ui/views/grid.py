"""What a grid of alpha and learning rate shows: how far alpha acts as a learning rate (S15)."""

from __future__ import annotations

from statistics import mean

from lora_lab.ui import arms, markup
from lora_lab.ui.arms import Told
from lora_lab.ui.markup import safe
from lora_lab.ui.plane import Axis, Chart, Line, Point
from lora_lab.ui.views.curves import loss_axis
from lora_lab.words import number, say

# The part of how losses differ that alpha × rate alone must explain. Were alpha nothing but a
# rate it would be all; of random losses this grid's diagonals explain a third.
MOSTLY, PARTLY = 0.9, 0.5


def charts(told: Told, language: str) -> list[Chart]:
    """Loss over alpha × rate, a line an alpha: were alpha only a rate, all would be one line."""
    groups = arms.ended(told)
    if not groups:
        return []
    lines = []
    for place, alpha in enumerate(sorted({_alpha(g) for g in groups})):
        name = f"α {number(alpha, language)}"
        points = [
            Point(_product(g), g["heldout_loss"], f"{name}: {arms.loss_of(g, language)}")
            for g in sorted(groups, key=_rate)
            if _alpha(g) == alpha
        ]
        lines.append(Line(name, points, place))
    marks = [(each, number(each, language)) for each in sorted({_product(g) for g in groups})]
    x = Axis(say("ranklab.axis.product", language), True, marks)
    return [Chart(say("ranklab.grid.chart", language), lines, x, loss_axis(language))]


def table(told: Told, language: str) -> str:
    """Loss by alpha (down) and learning rate (across), the number in each cell."""
    groups = told["groups"]
    alphas, rates = (sorted({of(g) for g in groups}) for of in (_alpha, _rate))
    cells = {(_alpha(g), _rate(g)): g for g in groups}
    lowest = min((_loss(g) for g in arms.ended(told)), default=0.0)
    head = "".join(f'<th scope="col">{safe(number(rate, language))}</th>' for rate in rates)
    rows = "".join(
        f'<tr><th scope="row">α {safe(number(alpha, language))}</th>'
        + "".join(_cell(cells[alpha, rate], lowest, language) for rate in rates)
        + "</tr>"
        for alpha in alphas
    )
    caption = markup.caption(say("ranklab.grid.caption", language))
    corner = safe(say("ranklab.grid.corner", language))
    return (
        f'<div class="scrolled" tabindex="0"><table class="figures cells">{caption}'
        f'<tr><th scope="col">{corner}</th>{head}</tr>{rows}</table></div>'
    )


def _cell(group: Told, lowest: float, language: str) -> str:
    """The loss over the product; what ended above the base has no shade and a sign."""
    loss, before, share, mark = group["heldout_loss"], group["heldout_loss_before"], 0.0, ""
    if loss is None:
        last = group["curve"][-1][1] if group["curve"] and not group["failed"] else None
        text = arms.loss_of(group, language) if last is None else f"({number(last, language, 2)})"
    else:
        text = number(loss, language, 2)
        mark = " ★" if loss == lowest else " ▲" if loss >= before else ""
        share = (before - min(loss, before)) / (before - lowest) if before > lowest else 0.0
    product = number(_product(group), language)
    return (
        f'<td style="--share:{share:.2f}" class="heat-cell">{safe(text)}{mark}'
        f"<small>{safe(product)}</small></td>"
    )


def verdict(told: Told, language: str) -> str:
    """How much of the losses alpha × rate explains where training worked, and which two cells of
    one product lie furthest apart."""
    if not arms.ended(told) or not arms.all_ended(told):
        return ""
    groups, before = arms.ended(told), arms.ended(told)[0]["heldout_loss_before"]
    # A cell that ended above the base blew up: by how much is chance, and would drown the rest.
    learned = [group for group in groups if _loss(group) < before]
    diagonals = _diagonals(learned)
    if not diagonals:
        return ""
    share = _explained([[_loss(group) for group in each] for each in diagonals])
    text = say(
        f"ranklab.grid.{'holds' if share >= MOSTLY else 'partly' if share >= PARTLY else 'fails'}",
        language,
        percent=round(100 * share),
        learned=len(learned),
        cells=len(told["groups"]),
        before=number(before, language, 2),
    )
    return markup.verdict(text, _gap(_diagonals(groups), language))


def _gap(diagonals: list[list[Told]], language: str) -> str:
    """The two cells of one product that lie furthest apart."""
    ends = [(min(each, key=_loss), max(each, key=_loss)) for each in diagonals]
    low, high = max(ends, key=lambda pair: _loss(pair[1]) - _loss(pair[0]))
    facts = {
        f"{side}_{name}": number(of(cell), language, decimals)
        for side, cell in (("low", low), ("high", high))
        for name, of, decimals in (
            ("alpha", _alpha, None), ("rate", _rate, None), ("loss", _loss, 2),
        )
    }  # fmt: skip
    gap = number(_loss(high) - _loss(low), language, 2)
    return say("ranklab.grid.gap", language, gap=gap, **facts)


def _diagonals(groups: list[Told]) -> list[list[Told]]:
    """The cells of each product of alpha and rate that has several."""
    products: dict[float, list[Told]] = {}
    for group in groups:
        products.setdefault(_product(group), []).append(group)
    return [each for each in products.values() if len(each) > 1]


def _explained(diagonals: list[list[float]]) -> float:
    """The part of the losses' variance that lies between diagonals, 0 to 1."""
    losses = [loss for each in diagonals for loss in each]
    whole = sum((loss - mean(losses)) ** 2 for loss in losses)
    within = sum((loss - mean(each)) ** 2 for each in diagonals for loss in each)
    return 1 - within / whole if whole else 1.0


def _alpha(group: Told) -> float:
    return group["changes"]["alpha"]


def _rate(group: Told) -> float:
    return group["changes"]["learning_rate"]


def _product(group: Told) -> float:
    return float(f"{_alpha(group) * _rate(group):.3g}")


def _loss(group: Told) -> float:
    return group["heldout_loss"]
