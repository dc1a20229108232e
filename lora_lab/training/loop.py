"""The training loop: batches to steps to events. It knows nothing of folders, pages or queues.

The order of a step is what makes a resume exact: everything a step depends on is either a pure
function of its number (its batches, its learning rate) or stands in the Checkpoint (the adapter,
AdamW's means, the generators that dropout draws from).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from lora_lab.config import Settings
from lora_lab.data import batching
from lora_lab.data.tokenising import Encoded
from lora_lab.errors import LabError
from lora_lab.models import lean
from lora_lab.models.shares import in_shares
from lora_lab.training import randomness
from lora_lab.training.checkpoint import Checkpoint, Progress
from lora_lab.training.counting import shared
from lora_lab.training.methods import Method
from lora_lab.training.schedule import learning_rate

REPORT_SECONDS = 0.25  # at most so often a train event is written: a page shows no more

Gradients = tuple[Tensor | None, ...]


@dataclass
class Job:
    """What one training needs, in memory.

    model: the base, with what the method puts on it. rows: the training rows, encoded.
    """

    model: nn.Module
    method: Method
    rows: list[Encoded]
    settings: Settings
    device: torch.device


@dataclass
class Watch:
    """What the loop calls on its way. Each may be slow; none may touch the random generators.

    event(kind, **figures) writes an event down and returns the size of the events in bytes;
    heldout() is the loss on the held-out rows; sample() a text; save(checkpoint) keeps it.
    """

    event: Callable[..., int]
    heldout: Callable[[], float]
    sample: Callable[[], str]
    save: Callable[[Checkpoint], None]
    stop_asked: Callable[[], bool]
    memory: Callable[[], int]


@dataclass
class Outcome:
    """How a training ended. adapter: the tensors with the lowest held-out loss, by name."""

    state: str  # "done" or "stopped"
    progress: Progress
    adapter: dict[str, Tensor]


def train(job: Job, watch: Watch, resume: Checkpoint | None) -> Outcome:
    """Train to the end, or until stopped. Raises LabError when the loss stops being a number."""
    training = stepping(job, watch, resume)
    while True:
        try:
            next(training)
        except StopIteration as end:
            return end.value


def stepping(
    job: Job, watch: Watch, resume: Checkpoint | None
) -> Generator[Progress, None, Outcome]:
    """As train, pausing after each step: what happens meanwhile counts as none of its seconds.

    Several may take turns, if each finds torch's random generators as it left them.
    """
    return _Training(job, watch, resume).run()


class _Training:
    def __init__(self, job: Job, watch: Watch, resume: Checkpoint | None):
        self.job, self.watch, self.settings = job, watch, job.settings
        self.trained = job.method.parameters
        self.parameters = list(self.trained.values())
        self.optimizer = torch.optim.AdamW(
            job.method.groups(),
            lr=job.settings.learning_rate,
            weight_decay=job.settings.weight_decay,
            fused=True,
        )
        self.progress, self.best = Progress(), dict[str, Tensor]()
        self.resumed = resume is not None
        if resume:
            self._restore(resume)
        lengths = [len(row.ids) for row in job.rows]
        self.plan = batching.plan(lengths, self.settings.batch_size, self.settings.seed)
        self.batches = self.plan.batches_at(self.progress.step * self.settings.accumulation)
        self.shared = shared(self.settings, sum(p.numel() for p in self.parameters))
        self.began = time.monotonic()
        self.reported = -math.inf  # seconds at the last train event
        self.measured = -1  # the step of the last held-out loss

    def run(self) -> Generator[Progress, None, Outcome]:
        settings, progress = self.settings, self.progress
        self._go_on()
        if not self.resumed:
            with self.job.method.at_rest():  # how the base itself does
                self._measure()
                self._sample()
        while progress.step < settings.steps:
            if self.watch.stop_asked():
                return self._finish("stopped")
            self._report(self._step())
            if progress.step == settings.steps:
                break
            if progress.step % settings.sample_every == 0:
                self._sample()
            if progress.step % settings.evaluate_every == 0:
                self._measure()
                if 0 < settings.patience <= progress.worse:
                    break
            if progress.step % settings.checkpoint_every == 0:
                self._save()
            self._clock()
            yield progress
            self._go_on()
        return self._finish("done")

    def _finish(self, state: str) -> Outcome:
        """Save first, then measure: a stop must leave no trace in a run that is resumed."""
        self._save()
        self._sample()
        if self.progress.step and self.progress.step != self.measured:
            self._measure()
        self._clock()
        adapter = self.best or {n: p.detach().clone() for n, p in self.trained.items()}
        return Outcome(state, self.progress, adapter)

    def _step(self) -> dict[str, float]:
        """One update over `accumulation` batches. The loss is a mean over supervised tokens."""
        settings, began = self.settings, time.monotonic()
        rate = learning_rate(
            self.progress.step, settings.steps, settings.learning_rate, settings.warmup_share
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["ratio"]
        batches = [
            [self.job.rows[index] for index in next(self.batches)]
            for _ in range(settings.accumulation)
        ]
        supervised = sum(sum(row.supervised) for batch in batches for row in batch)
        total = 0.0
        self.optimizer.zero_grad(set_to_none=True)
        for batch in batches:
            share = partial(self._share, supervised)
            for loss, gradients in in_shares(share, batch) if self.shared else [share(batch)]:
                total += loss
                self._add(gradients)
        norm = nn.utils.clip_grad_norm_(self.parameters, settings.clip).item()
        if not math.isfinite(total) or not math.isfinite(norm):
            raise LabError("loss_not_finite", step=self.progress.step + 1)
        self.optimizer.step()
        self.progress.step += 1
        self.progress.tokens += sum(len(row.ids) for batch in batches for row in batch)
        self.progress.stepping += time.monotonic() - began
        return {"loss": total / supervised, "learning_rate": rate, "gradient_norm": norm}

    def _share(self, supervised: int, rows: Sequence[Encoded]) -> tuple[float, Gradients]:
        """Of some rows of a batch the summed loss, and what they add to the gradient of the step's
        mean loss, by parameter; None where they add nothing."""
        loss, _ = lean.supervised_loss(self.job.model, *_tensors(rows, self.job.device))
        gradients = torch.autograd.grad(loss / supervised, self.parameters, allow_unused=True)
        return loss.item(), gradients

    def _add(self, gradients: Gradients) -> None:
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            if gradient is not None and parameter.grad is None:
                parameter.grad = gradient.contiguous()  # as the fused AdamW reads it
            elif gradient is not None:
                parameter.grad.add_(gradient)

    def _report(self, figures: dict[str, float]) -> None:
        """A train event, when the last one is old enough; the first and last steps always."""
        self._clock()
        progress = self.progress
        edge = progress.step <= 2 or progress.step == self.settings.steps
        if not edge and progress.seconds - self.reported < REPORT_SECONDS:
            return
        self.reported = progress.seconds
        self.watch.event(
            "train",
            **self._place(),
            **figures,
            tokens=progress.tokens,
            tokens_per_second=progress.tokens / progress.stepping,
            seconds_left=self._seconds_left(),
            memory_bytes=self.watch.memory(),
        )

    def _seconds_left(self) -> float:
        """The steps to come at the mean pace so far, and the measurements between them."""
        progress, every = self.progress, self.settings.evaluate_every
        left = self.settings.steps - progress.step
        watching = (progress.seconds - progress.stepping) / (1 + progress.step // every)
        return left * progress.stepping / progress.step + watching * (1 + left // every)

    def _go_on(self) -> None:
        self.began = time.monotonic() - self.progress.seconds

    def _clock(self) -> None:
        self.progress.seconds = time.monotonic() - self.began

    def _measure(self) -> None:
        """The held-out loss now; remember the adapter when it has never been lower."""
        loss = self.watch.heldout()
        self._clock()
        self.measured = self.progress.step
        if not math.isfinite(loss):
            raise LabError("loss_not_finite", step=self.progress.step)
        self.watch.event("heldout", **self._place(), loss=loss)
        progress = self.progress
        if progress.step == 0:
            return  # the base's own loss: the adapter adds nothing yet
        if progress.best_loss is None or loss < progress.best_loss:
            progress.best_loss, progress.best_step, progress.worse = loss, progress.step, 0
            self.best = {name: p.detach().clone() for name, p in self.trained.items()}
        else:
            progress.worse += 1

    def _sample(self) -> None:
        text = self.watch.sample()
        self._clock()
        self.watch.event("sample", **self._place(), text=text)

    def _save(self) -> None:
        self._clock()
        self.progress.events_size = self.watch.event("checkpoint", **self._place())
        self.watch.save(
            Checkpoint(
                progress=self.progress,
                adapter=dict(self.trained),
                best=self.best,
                moments=self._moments(),
                random=randomness.states(self.job.device),
            )
        )

    def _restore(self, checkpoint: Checkpoint) -> None:
        device = self.job.device
        with torch.no_grad():
            for name, parameter in self.trained.items():
                parameter.copy_(checkpoint.adapter[name])
        for name, parameter in self.trained.items():
            if name in checkpoint.moments["exp_avg"]:
                self.optimizer.state[parameter] = {
                    "step": torch.tensor(float(checkpoint.progress.step), device=device),
                    **{k: v[name].to(device) for k, v in checkpoint.moments.items()},
                }
        self.progress = checkpoint.progress
        self.best = {name: tensor.to(device) for name, tensor in checkpoint.best.items()}
        randomness.put_back(checkpoint.random)

    def _moments(self) -> dict[str, dict[str, Tensor]]:
        state = self.optimizer.state
        return {
            moment: {n: state[p][moment] for n, p in self.trained.items() if state[p]}
            for moment in ("exp_avg", "exp_avg_sq")
        }

    def _place(self) -> dict[str, float]:
        batches = self.progress.step * self.settings.accumulation
        return {
            "step": self.progress.step,
            "epoch": round(batches / self.plan.batches_an_epoch, 3),
            "seconds": round(self.progress.seconds, 3),
        }


def _tensors(batch: Sequence[Encoded], device: torch.device) -> tuple[Tensor, Tensor]:
    """ids [B, T] right-padded with zeros, and supervised [B, T], True on each target token."""
    filled = batching.collate(batch)
    return (
        torch.tensor(filled["ids"], device=device),
        torch.tensor(filled["supervised"], device=device),
    )
