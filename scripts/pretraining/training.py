"""The run: texts to tokenizer to weights, stopped and resumed at will."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from pretraining import heldout, saving, stream, text, vocabulary
from pretraining.checkpoint import Checkpoint
from pretraining.network import Network
from pretraining.optimiser import optimisers, rate_at
from pretraining.recipe import Recipe

CLIP = 1.0


@dataclass(frozen=True)
class Watching:
    """What is told and kept on the way; none of it changes the weights."""

    report_every: int = 50
    score_every: int = 500
    checkpoint_seconds: float = 180.0


@dataclass(frozen=True)
class Corpus:
    tokenizer: Tokenizer
    stream: stream.Stream
    heldout: list[str]


def read(sources: Sequence[text.Source], recipe: Recipe) -> Corpus:
    """The held-out part is cut off before the vocabulary is learnt."""
    texts = [source.path.read_text(encoding="utf-8") for source in sources]
    texts[0], kept_out = text.split(texts[0], recipe.heldout)
    files = [text.documents(each) for each in texts]
    everything = [document for file in files for document in file]
    tokenizer = vocabulary.learn(everything, recipe.shape.vocabulary)
    plain = [
        stream.encode(file, tokenizer, source.weight)
        for file, source in zip(files, sources, strict=True)
    ]
    respelt = stream.respell(everything, tokenizer, share=0.5, seed=recipe.seed)
    begin = tokenizer.token_to_id(vocabulary.BEGIN)
    return Corpus(
        tokenizer,
        stream.Stream(plain, respelt, recipe.seed, begin),
        text.documents(kept_out),
    )


class Run:
    """One training in one folder: checkpoint.pt, log.jsonl, recipe.json, an end-*.safetensors for
    each fall of the rate that was finished, and the model/ made of them."""

    def __init__(self, recipe: Recipe, corpus: Corpus, folder: Path, device: str):
        self.recipe, self.corpus, self.folder, self.device = recipe, corpus, folder, device
        torch.manual_seed(recipe.seed)
        precision = torch.bfloat16 if recipe.precision == "bfloat16" else torch.float32
        self.network = Network(recipe.shape, precision).to(device)
        self.optimisers = optimisers(
            self.network, recipe.optimiser, recipe.rate, recipe.weight_decay
        )
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)

    def resume(self) -> bool:
        """True where the folder held a checkpoint of this very recipe."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return False
        found = Checkpoint.load(path)
        if found.fingerprint != self.recipe.fingerprint():
            raise SystemExit(f"{path} belongs to another recipe: name another --out folder")
        found.restore(self.network, self.optimisers)
        self.step = found.step
        self.recipe = dataclasses.replace(self.recipe, steps=found.steps, decay=found.decay)
        self._forget_after(found.step)
        return True

    def decay_from_now(self, decay: int) -> None:
        self.recipe = dataclasses.replace(self.recipe, steps=self.step + decay, decay=decay)

    def train(self, watching: Watching) -> None:
        self.recipe.save(self.folder, torch.get_num_threads())
        saved = reported = time.monotonic()
        losses: list[float] = []
        while self.step < self.recipe.steps:
            losses.append(self._train_step())
            if self.step % watching.report_every == 0:
                seconds, reported = time.monotonic() - reported, time.monotonic()
                tokens = len(losses) * self.recipe.rows * self.recipe.length
                mean = sum(losses) / len(losses)
                losses.clear()
                self._log(loss=round(mean, 4), tokens_per_second=int(tokens / seconds))
            if self.step % watching.score_every == 0:
                self.score()
            if time.monotonic() - saved > watching.checkpoint_seconds:
                self.save_checkpoint()
                saved = time.monotonic()
        self.save_checkpoint()

    def _train_step(self) -> float:
        recipe = self.recipe
        ids, targets = self.corpus.stream.batch(self.step, recipe.rows, recipe.length)
        count = (targets >= 0).sum().item()
        loss = self.network(ids.to(self.device), targets.to(self.device)) / count
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        share = rate_at(self.step, recipe.warmup, recipe.steps - recipe.decay, recipe.decay)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate * share
            optimiser.step()
            optimiser.zero_grad()
        self.step += 1
        return float(loss.item())

    def score(self) -> heldout.Score:
        found = heldout.score(self.network, self.corpus.heldout, self.corpus.tokenizer)
        self._log(**{f"heldout_{name}": round(value, 4) for name, value in vars(found).items()})
        return found

    def save_checkpoint(self) -> None:
        Checkpoint(
            self.step,
            self.recipe.steps,
            self.recipe.decay,
            self.recipe.fingerprint(),
            self.network.state_dict(),
            [optimiser.state_dict() for optimiser in self.optimisers],
        ).save(self.folder / "checkpoint.pt")

    def save_model(self) -> None:
        """The mean of the weights at the ends of the falls (Izmailov et al. 2018): of one fall, its
        end; of several, better than each. The checkpoint keeps the last end by itself."""
        if self.recipe.decay:
            save_file(self.network.state_dict(), self.folder / f"end-{self.step:07}.safetensors")
        ends = [load_file(path) for path in sorted(self.folder.glob("end-*.safetensors"))]
        if ends:
            self.network.load_state_dict(
                {name: torch.stack([end[name] for end in ends]).mean(0) for name in ends[0]}
            )
        self.score()
        saving.save(self.network, self.corpus.tokenizer, self.folder / "model")

    def _forget_after(self, step: int) -> None:
        """Lines of steps that will be done again leave the log."""
        log = self.folder / "log.jsonl"
        lines = log.read_text().splitlines(keepends=True) if log.exists() else []
        log.write_text("".join(line for line in lines if json.loads(line)["step"] <= step))

    def _log(self, **facts: float) -> None:
        line = json.dumps({"step": self.step, **facts})
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(line + "\n")
        print(line, flush=True)
