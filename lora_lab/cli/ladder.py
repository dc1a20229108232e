"""The verb `ladder`: ranks against each other on one dataset, as an answer for programs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from lora_lab import lab
from lora_lab.cli.foreground import Answer, Tell, follow
from lora_lab.config import Settings
from lora_lab.errors import LabError
from lora_lab.runs import folder
from lora_lab.words import byte_size, number, say

ARM = (
    "trainable", "adapter_bytes", "memory_bytes", "learning_rate", "heldout_loss",
    "heldout_loss_before", "spread", "base_text_loss", "seconds",
)  # fmt: skip
Described = Callable[[str], str]


def flags(one: argparse.ArgumentParser, described: Described) -> None:
    one.add_argument(
        "--ranks", type=_ranks, default=[1, 2, 4, 8, 64], metavar="1,2,4,8,64",
        help=described("ranks"),
    )  # fmt: skip
    one.add_argument("--full", action="store_true", help=described("full"))
    one.add_argument("--prefix", action="store_true", help=described("prefix"))
    one.add_argument("--search-rates", action="store_true", help=described("search_rates"))
    one.add_argument("--seeds", type=int, default=1, help=described("seeds"))


def _ranks(text: str) -> list[int]:
    return [int(rank) for rank in text.split(",")]


def start(told: argparse.Namespace, settings: Settings, owner: str) -> str:
    """Queue the race that the flags ask for; its run's id."""
    others = [name for name in ("full", "prefix") if getattr(told, name)]
    choices = {"ranks": told.ranks, "others": others, "seeds": told.seeds}
    rate = "search" if told.search_rates else "own"
    return lab.start_experiment("race", settings, choices, owner, rate)


def answer(run_id: str, tell: Tell) -> Answer:
    """Race in this process, then say what came of it."""
    run = folder.find(run_id)
    labels = [arm["label"] for arm in run.config["experiment"]["arms"]]

    def named(event: dict[str, Any]) -> None:
        known = event.get("arm")
        if known is None or event["kind"] in ("arm", "search"):
            tell(event if known is None else {**event, "label": labels[known]})

    follow(run, named)
    told = lab.experiment(run_id, run.owner)
    if told["error"]:
        raise LabError.from_json(told["error"])
    (smallest,) = told["smallest"].values() or (None,)
    return {
        "run": run_id,
        "state": told["state"],
        "folder": str(run.path),
        "data": told["data"]["name"],
        "model": told["settings"]["model"],
        "steps": told["settings"]["steps"],
        "rates": told["experiment"]["rates"],
        "base_text_loss_before": told["base_text_loss"],
        "arms": [_arm(group, run) for group in told["groups"]],
        "smallest_within_noise": smallest,
        "searches": told["searches"],
        "seconds": sum(event["seconds"] for event in run.events()[0] if event["kind"] == "arm"),
    }


def _arm(group: dict[str, Any], run: folder.Run) -> dict[str, Any]:
    label = group["label"]
    return {
        "rank": int(label) if label.isdigit() else label,
        **{name: group[name] for name in ARM},
        "heldout_losses": group["losses"],
        "curve": [list(point) for point in group["curve"]],
        "adapters": [str(run.path / "arms" / str(number)) for number in group["arms"]],
    }


def sentences(answer: Answer, language: str) -> str:
    """A line an arm, then the smallest rank that is good enough."""
    lines = [_line(arm, language) for arm in answer["arms"]]
    told = answer["smallest_within_noise"]
    if told:
        noise = number(told["noise"], language, 3)
        rank, best = told["rank"], told["best"]
        lines.append(say("cli.ladder.smallest", language, rank=rank, best=best, noise=noise))
    return "\n".join(lines)


def _line(arm: dict[str, Any], language: str) -> str:
    if arm["heldout_loss"] is None:
        return say("cli.ladder.none", language, arm=name_of(str(arm["rank"]), language))
    spread = "" if arm["spread"] is None else f" ± {number(arm['spread'], language, 3)}"
    return say(
        "cli.ladder.arm",
        language,
        arm=name_of(str(arm["rank"]), language),
        loss=number(arm["heldout_loss"], language, 3) + spread,
        forgot=number(arm["base_text_loss"], language, 3),
        trainable=arm["trainable"],
        size=byte_size(arm["adapter_bytes"], language),
        seconds=number(arm["seconds"], language),
        rate=number(arm["learning_rate"], language),
    )


def name_of(label: str, language: str) -> str:
    """An arm's label as a person reads it."""
    if label.isdigit():
        return say("arm.rank", language, rank=int(label))
    return say(f"arm.{label}.name", language)


def told(event: dict[str, Any], language: str) -> str:
    """A line for an arm that ended, or for a point of the search for its rate."""
    if "label" not in event:
        return ""
    if event["kind"] == "arm":
        loss = event.get("heldout_loss")
        shown = "–" if loss is None else number(loss, language, 3)
        return say("cli.ladder.ended", language, arm=name_of(event["label"], language), loss=shown)
    loss = "–" if event["loss"] is None else number(event["loss"], language, 3)
    arm = name_of(event["label"], language)
    rate = number(event["learning_rate"], language)
    return say("cli.ladder.searched", language, arm=arm, rate=rate, loss=loss)


def round_(event: dict[str, Any], language: str) -> str:
    return say("cli.ladder.round", language, done=event["done"], total=event["total"])
