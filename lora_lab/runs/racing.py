"""What a worker does with an experiment's folder: its arms trained, in turns where they fit.

The events of an arm carry its number ("arm"). Every arm has a checkpoint of its own, so a resume
keeps the arms that ended, goes on with each other one from its own last checkpoint, and forgets the
events that came after it; since arms share nothing, each still ends exactly as if undisturbed.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lora_lab.config import Settings
from lora_lab.errors import LabError
from lora_lab.evaluation.heldout import heldout_loss
from lora_lab.models import loading
from lora_lab.runs import work as single
from lora_lab.runs.arm_results import Entrant, keep
from lora_lab.runs.arms import arms_of, data_folder
from lora_lab.runs.folder import Run
from lora_lab.runs.searching import searched
from lora_lab.training import checkpoint, loop, machine, methods, race
from lora_lab.training.checkpoint import Progress

TOLD = "heldout"  # of what the loop tells of an arm, the one kind that is kept
ROUND_SECONDS = 0.5  # at most so often the whole race's progress is written


def work(run: Run) -> str:
    """Race from where run stands; returns "done" or "stopped". Raises what goes wrong."""
    place = single.settle(run, run.settings)
    place.take()
    base = single.base_of(run, run.settings, place)
    base.model.requires_grad_(False)
    track = Track(run, base, place)
    track.forget_what_came_after()
    if not any(event["kind"] == "base_text" for event in run.events()[0]):
        single.tell_forgetting(run, base, 0)
    if not searched(run, track.settings, track.trial):
        return "stopped"
    state = track.run_arms()
    after = loading.base_hash(base.model)
    run.append("result", state=state, base_hash_before=base.hash, base_hash_after=after)
    return state


@dataclass
class Track:
    """What the arms of one run have in common."""

    run: Run
    base: single.Base
    place: machine.Place
    entrants: dict[int, Entrant] = field(default_factory=dict)
    told: dict[int, int] = field(default_factory=dict)  # events written of each arm
    rows: dict[tuple[str, int], single.Rows] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.arms = arms_of(self.run)
        self.device = torch.device(self.place.device)

    def settings(self, number: int) -> Settings:
        """Of an arm, with the rate that was found for it where one had to be."""
        settings = self.arms[number].settings(self.run.settings)
        found = (e for e in self.run.events()[0] if e["kind"] == "rate" and e["arm"] == number)
        rate = next((event["learning_rate"] for event in found), settings.learning_rate)
        return replace(settings, learning_rate=rate)

    def forget_what_came_after(self) -> None:
        """Of each arm the events up to its checkpoint; of one that ended, all."""
        events = self.run.events()[0]
        ended = {event["arm"] for event in events if event["kind"] == "arm"}
        for number in range(len(self.arms)):
            kept = checkpoint.load(self._checkpoints(number)) if number not in ended else None
            self.told[number] = kept.progress.events_size if kept else 0
        self.run.keep_events(_first_of_each(self.told, ended))

    def _checkpoints(self, number: int) -> Path:
        return self.run.checkpoints / str(number)

    # Trainings

    def run_arms(self) -> str:
        ended = {e["arm"]: e for e in self.run.events()[0] if e["kind"] == "arm"}
        left = [number for number in range(len(self.arms)) if number not in ended]
        steps = {number: self.settings(number).steps for number in range(len(self.arms))}
        pace = Pace(steps, {number: event["seconds"] for number, event in ended.items()})
        arms = [
            race.Arm(self.settings(number).seed, self.device, partial(self._start, number))
            for number in left
        ]
        together = self.run.config["experiment"]["together"]
        for at, news in race.race(arms, together):
            number = left[at]
            if isinstance(news, Progress):
                pace.moved(number, news)
                if pace.due():
                    self.run.append("round", **pace.told())
            elif isinstance(news, LabError):
                self._lost(number, news)
            elif news.state == "done":
                keep(self.run, self.base, number, self.entrants[number], news)
                shutil.rmtree(self._checkpoints(number), ignore_errors=True)
            elif not together:
                return "stopped"
            self.entrants.pop(number, None) if not isinstance(news, Progress) else None
        return "stopped" if self.run.stop_asked() and self._unfinished() else "done"

    def _events(self) -> list[dict[str, Any]]:
        return self.run.events()[0]

    def _unfinished(self) -> bool:
        ended = [event for event in self.run.events()[0] if event["kind"] == "arm"]
        return len(ended) < len(self.arms)

    def _lost(self, number: int, error: LabError) -> None:
        rate = self.settings(number).learning_rate
        facts = {"state": "failed", "error": error.as_json(), "seconds": 0.0}
        self.run.append("arm", arm=number, learning_rate=rate, **facts)
        shutil.rmtree(self._checkpoints(number), ignore_errors=True)

    def _start(self, number: int) -> race.Start:
        settings = self.settings(number)
        job, rows = self._job(number, settings)
        self.entrants[number] = Entrant(job.model, job.method, settings)
        resume = checkpoint.load(self._checkpoints(number))
        self._tell_beginning(number, job.model, rows)
        watch = loop.Watch(
            event=partial(self._tell, number),
            heldout=partial(heldout_loss, job.model, rows.heldout),
            sample=lambda: "",
            save=partial(checkpoint.save, self._checkpoints(number)),
            stop_asked=self.run.stop_asked,
            memory=lambda: 0,
        )
        return race.Start(job, watch, resume)

    def _tell_beginning(self, number: int, model: nn.Module, rows: single.Rows) -> None:
        """What an init does before the first step, where that is what the arms are about."""
        known = (event["kind"] == "begun" and event["arm"] == number for event in self._events())
        if self.run.config["experiment"]["kind"] == "init" and not any(known):
            self.run.append("begun", arm=number, loss=heldout_loss(model, rows.heldout))

    def trial(self, number: int, settings: Settings) -> float | None:
        """The held-out loss that an arm comes to with these settings; None if it was stopped."""
        torch.manual_seed(settings.seed)
        job, rows = self._job(number, settings)
        watch = loop.Watch(
            event=lambda *_, **__: 0,
            heldout=partial(heldout_loss, job.model, rows.heldout),
            sample=lambda: "",
            save=lambda _: None,
            stop_asked=partial(self.run.stop_asked, for_good=True),  # it has no checkpoint
            memory=lambda: 0,
        )
        try:
            outcome = loop.train(job, watch, None)
        except LabError:
            return float("inf")
        return outcome.progress.best_loss if outcome.state == "done" else None

    def _job(self, number: int, settings: Settings) -> tuple[loop.Job, single.Rows]:
        model = race.own_model(self.base.model, settings.method == "full")
        method = methods.put(model, settings, self.base.tokenizer)
        rows = self._rows(settings)
        chosen = rows.train[: self.arms[number].rows or None]
        return loop.Job(model, method, chosen, settings, self.device), rows

    def _rows(self, settings: Settings) -> single.Rows:
        """Read once for each dataset and seed."""
        key = (settings.data, settings.seed)
        if key not in self.rows:
            folder = data_folder(self.run, settings)
            self.rows[key] = single.rows_of(folder, self.base.tokenizer, settings)
        return self.rows[key]

    def _tell(self, number: int, kind: str, **figures: Any) -> int:
        """How many events of the arm there are, which is what its checkpoint remembers."""
        if kind == TOLD:
            self.run.append(kind, arm=number, **figures)
            self.told[number] += 1
        return self.told[number]


class Pace:
    """How far the arms are, and what is left at the pace so far."""

    def __init__(self, steps: dict[int, int], ended: dict[int, float]):
        self.steps = steps
        self.done = {number: steps[number] for number in ended}
        self.seconds = dict(ended)
        self._last = 0.0

    def moved(self, number: int, progress: Progress) -> None:
        self.done[number], self.seconds[number] = progress.step, progress.seconds

    def due(self) -> bool:
        now = time.monotonic()
        if now - self._last < ROUND_SECONDS:
            return False
        self._last = now
        return True

    def told(self) -> dict[str, Any]:
        done, total = sum(self.done.values()), sum(self.steps.values())
        left = sum(self.seconds.values()) / max(1, done) * (total - done)
        return {"done": done, "total": total, "seconds_left": left}


def _first_of_each(counts: dict[int, int], ended: set[int]) -> Any:
    """What tells whether an event stays: of each arm the first so many, of those that ended all."""
    left = dict(counts)

    def stays(event: dict[str, Any]) -> bool:
        if event["kind"] in ("result", "end"):
            return False
        number = event.get("arm")
        if number is None or number in ended or event["kind"] in ("rate", "search", "begun"):
            return True
        left[number] -= 1
        return left[number] >= 0

    return stays
