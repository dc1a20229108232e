"""What few examples show: held-out loss against the rows that were trained on (S16)."""

from __future__ import annotations

from lora_lab.ui import arms, markup
from lora_lab.ui.arms import Told
from lora_lab.ui.plane import Axis, Chart, Line, Point
from lora_lab.ui.views.curves import loss_axis
from lora_lab.words import number, say

ENOUGH = 0.5  # of what all rows bring must a handful bring for the claim to hold


def charts(told: Told, language: str) -> list[Chart]:
    """Held-out loss over the number of training rows, LoRA and full fine-tuning."""
    by_arm = _by_rows(told)
    if not by_arm:
        return []
    lines = []
    for place, (label, losses) in enumerate(by_arm.items()):
        name = (
            f"LoRA {arms.short(label, language)}"
            if label.isdigit()
            else arms.short(label, language)
        )
        points = [
            Point(rows, loss, f"{name}, {number(rows, language)}: {number(loss, language, 3)}")
            for rows, loss in losses.items()
        ]
        lines.append(Line(name, points, place))
    seen = sorted({rows for losses in by_arm.values() for rows in losses})
    x = Axis(say("ranklab.axis.rows", language), True, [(r, number(r, language)) for r in seen])
    return [Chart(say("ranklab.few.chart", language), lines, x, loss_axis(language))]


def _by_rows(told: Told) -> dict[str, dict[int, float]]:
    """Arm -> rows seen -> held-out loss, of what has ended."""
    losses: dict[str, dict[int, float]] = {}
    for group in sorted(arms.ended(told), key=lambda g: _rows(g, told)):
        losses.setdefault(group["label"], {})[_rows(group, told)] = group["heldout_loss"]
    return losses


def _rows(group: Told, told: Told) -> int:
    """How many training rows an arm really saw."""
    sets = told["experiment"]["datasets"]
    rows = next(each["rows"] for each in sets if each["data"] == group["data"])
    most = rows - min(max(1, round(rows * told["settings"]["heldout_share"])), rows - 1)
    return min(group["rows"] or most, most)


def verdict(told: Told, language: str) -> str:
    """What part of the fall of the loss the fewest rows already bring."""
    by_arm = _by_rows(told)
    lora = next((losses for label, losses in by_arm.items() if label.isdigit()), {})
    full = by_arm.get("full", {})
    shared = sorted(set(lora) & set(full))
    if len(shared) < 2 or not arms.all_ended(told):
        return ""
    before = arms.ended(told)[0]["heldout_loss_before"]
    rows, most = shared[0], shared[-1]
    gained, whole = before - lora[rows], before - lora[most]
    share = gained / whole if whole > 0 else 0.0
    key = "ranklab.few.holds" if share >= ENOUGH else "ranklab.few.fails"
    losses = {
        "before": before, "lora": lora[rows], "full": full[rows],
        "lora_most": lora[most], "full_most": full[most],
    }  # fmt: skip
    written = {name: number(loss, language, 2) for name, loss in losses.items()}
    percent = round(100 * max(0.0, share))
    return markup.verdict(
        say(key, language, rows=rows, most=most, percent=percent),
        say("ranklab.few.figures", language, rows=rows, most=most, **written),
    )


def table(told: Told, language: str) -> str:
    groups = arms.ended(told)
    if not groups:
        return ""
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
