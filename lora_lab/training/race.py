"""Several trainings that take turns, a step each, in one process.

Each arm has its own model, optimiser and state of torch's random generators. They share the machine
and, where an arm leaves the base frozen, the base's weights; so an arm's curve is the one that it
has alone, to the bit on one processor.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from lora_lab.errors import LabError
from lora_lab.training import loop, randomness
from lora_lab.training.checkpoint import Checkpoint, Progress
from lora_lab.training.loop import Job, Outcome, Watch


@dataclass
class Start:
    """What an arm begins with: as the arguments of loop.train."""

    job: Job
    watch: Watch
    resume: Checkpoint | None = None


@dataclass
class Arm:
    """make is called when the arm's turn has come (and its generators are seeded): a model is only
    in memory from then to the arm's end."""

    seed: int
    device: torch.device
    make: Callable[[], Start]


News = Progress | Outcome | LabError


def race(arms: Sequence[Arm], together: bool) -> Iterator[tuple[int, News]]:
    """(the arm's place, its Progress) after each step of any arm, and how the arm ended: its
    Outcome, or the LabError where its loss stopped being a number (the others go on).

    together: all in turns; else one after the other, where their models do not fit side by side.
    """
    places = range(len(arms))
    for group in [places] if together else [[place] for place in places]:
        going = {place: _Runner(arms[place]) for place in group}
        while going:
            for place in list(going):
                news = going[place].step()
                if not isinstance(news, Progress):
                    del going[place]
                yield place, news


def own_model(model: nn.Module, trains_all: bool) -> nn.Module:
    """A model for one arm, from a frozen base: it shares the base's weights, or has copies of them
    where it trains them all."""
    shared = [] if trains_all else [*model.parameters(), *model.buffers()]
    return copy.deepcopy(model, memo={id(tensor): tensor for tensor in shared})


class _Runner:
    """One arm with its own random generators."""

    def __init__(self, arm: Arm):
        self.device = arm.device
        outside = randomness.states(self.device)
        torch.manual_seed(arm.seed)
        start = arm.make()
        self.training = loop.stepping(start.job, start.watch, start.resume)
        self.random = randomness.states(self.device)
        randomness.put_back(outside)

    def step(self) -> News:
        outside = randomness.states(self.device)
        randomness.put_back(self.random)
        try:
            return next(self.training)
        except StopIteration as end:
            return end.value
        except LabError as error:
            return error
        finally:
            self.random = randomness.states(self.device)
            randomness.put_back(outside)
