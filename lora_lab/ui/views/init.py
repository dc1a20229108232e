"""What the ways to start A and B show: where each puts the model, and what it then learns (S4)."""

from __future__ import annotations

from lora_lab.ui import arms, markup
from lora_lab.ui.arms import Told
from lora_lab.ui.plane import Chart
from lora_lab.ui.views.curves import curves
from lora_lab.words import number, say

SHORT = {"gaussian": "B = 0", "zeros": "A = B = 0", "both-gaussian": "A, B ≠ 0", "pissa": "PiSSA"}
SILENT = ("gaussian", "zeros")  # B A is zero at first: their curve begins at the base


def charts(told: Told, language: str) -> list[Chart]:
    """The curves, each from what its init made of the base before the first step."""
    groups = [
        {**group, "curve": [(0, *[group["begun"]] * 3), *group["curve"][1:]]}
        for group in told["groups"]
        if group["begun"] is not None
    ]
    return curves(groups, told, language, lambda group: SHORT[group["label"]])


def verdict(told: Told, language: str) -> str:
    begun, base = _begun(told)
    stuck = next((group for group in begun if group["label"] == "zeros"), None)
    if base is None or stuck is None or any(group["heldout_loss"] is None for group in begun):
        return ""
    worst = max(begun, key=lambda group: abs(group["begun"] - base))
    text = say(
        "ranklab.init.verdict",
        language,
        stuck=number(stuck["heldout_loss"] - base, language, 3),
        worst=say(f"setting.init.{worst['label']}", language),
        away=number(abs(worst["begun"] - base), language, 2),
    )
    return markup.verdict(text)


def table(told: Told, language: str) -> str:
    """The loss at step 0 beside the base's, and after, by init."""
    begun, base = _begun(told)
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
    return arms.table(heads, rows, say("ranklab.caption", language), language)


def _begun(told: Told) -> tuple[list[Told], float | None]:
    """The arms that have begun, and the base's own loss once one tells it."""
    begun = [g for g in told["groups"] if g["begun"] is not None and g["curve"]]
    return begun, next((g["curve"][0][1] for g in begun if g["label"] in SILENT), None)
