"""One side of the training benchmark, alone in its process: the lab's trainer, or PEFT under
transformers' Trainer. Prints one JSON object; benchmarks.training reads it.

    python -m benchmarks.training_side lab '{"model": FOLDER, "targets": "linear", …}'
"""

from __future__ import annotations

import json
import math
import random
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from lora_lab.config import Settings
from lora_lab.data import batching
from lora_lab.data.tokenising import Encoded
from lora_lab.lora import attaching
from lora_lab.lora.targets import resolve
from lora_lab.models.shares import share_among
from lora_lab.training import loop, methods

RANK, ALPHA, BATCH, ROWS, WARM, RATE = 8, 16.0, 8, 256, 2, 2e-4


def rows(vocabulary: int) -> list[Encoded]:
    """Chat rows as a trainer meets them: 256 of 110 tokens in the mean, the last 41 % of each the
    answer. Only lengths and what is supervised bear on speed, so the ids are drawn."""
    draw = random.Random(0)
    encoded = []
    for row in range(ROWS):
        length = min(max(int(draw.lognormvariate(math.log(105), 0.4)), 24), 320)
        ids = [draw.randrange(3, vocabulary) for _ in range(length)]
        answer = round(0.41 * length)
        encoded.append(Encoded(ids, [False] * (length - answer) + [True] * answer, row, False))
    return encoded


class Clock:
    """Real tokens against the time of the steps after the first few, by the clock on the wall and
    by the processor's (with one thread, what the second says a busy machine hardly sways)."""

    def __init__(self) -> None:
        self.marks: list[tuple[int, float, float]] = []

    def mark(self, tokens_so_far: int) -> None:
        self.marks.append((tokens_so_far, time.perf_counter(), time.process_time()))

    def figures(self) -> dict[str, float]:
        first, last = self.marks[WARM - 1], self.marks[-1]
        tokens, wall, processor = (b - a for a, b in zip(first, last, strict=True))
        return {
            "tokens_per_second": tokens / wall,
            "tokens_per_processor_second": tokens / processor,
        }


def lab(told: dict[str, Any]) -> dict[str, Any]:
    """The lab's own loop; told["batches"], where given, in place of its own order."""
    model = _model(told["model"], "eager")
    if told["batches"]:
        loop.batching.plan = lambda *_: _Given(told["batches"])
    settings = Settings(
        steps=told["steps"], rank=RANK, alpha=ALPHA, batch_size=BATCH, learning_rate=RATE,
        targets=told["targets"],
        evaluate_every=10**5, sample_every=10**5, checkpoint_every=10**5,
    )  # fmt: skip
    loop.REPORT_SECONDS = 0  # an event each step
    clock, losses = Clock(), []

    def event(kind: str, **figures: Any) -> int:
        if kind == "train":
            clock.mark(figures["tokens"])
            losses.append(figures["loss"])
        return 0

    watch = loop.Watch(event, lambda: 0.0, lambda: "", lambda _: None, lambda: False, lambda: 0)
    data = rows(model.config.vocab_size)
    job = loop.Job(model, methods.put(model, settings), data, settings, torch.device("cpu"))
    loop.train(job, watch, None)
    return {**clock.figures(), "loss": sum(losses) / len(losses)}


class _Given(batching.Plan):
    """Batches decided elsewhere."""

    def __init__(self, batches: list[list[int]]):
        super().__init__([0] * ROWS, BATCH, 0)
        object.__setattr__(self, "batches", batches)

    def batches_at(self, step: int):
        return iter(self.batches[step:])


def peft(told: dict[str, Any]) -> dict[str, Any]:
    """PEFT's adapter under Trainer, as their documentation has it."""
    from peft import LoraConfig, get_peft_model
    from transformers import Trainer, TrainerCallback, TrainingArguments

    model = _model(told["model"], told["attention"])
    data = rows(model.config.vocab_size)
    paths = resolve(told["targets"], attaching.matrices(model))
    model = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=paths))
    seen: list[list[int]] = []
    clock = Clock()

    class EachStep(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            done = [index for batch in seen[: state.global_step] for index in batch]
            clock.mark(sum(len(data[index].ids) for index in done))

    def collate(batch: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        seen.append([one["row"] for one in batch])
        width = max(len(one["input_ids"]) for one in batch)
        pads = {"input_ids": 0, "attention_mask": 0, "labels": -100}
        return {
            name: torch.tensor([one[name] + [pad] * (width - len(one[name])) for one in batch])
            for name, pad in pads.items()
        }

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, use_cpu=True, per_device_train_batch_size=BATCH, max_steps=told["steps"],
            learning_rate=RATE, train_sampling_strategy=told["sampling"],
            remove_unused_columns=False, save_strategy="no", logging_steps=told["steps"],
            report_to="none", disable_tqdm=True,
        )  # fmt: skip
        dataset = [
            {
                "row": row.row,
                "input_ids": row.ids,
                "attention_mask": [1] * len(row.ids),
                "labels": [i if s else -100 for i, s in zip(row.ids, row.supervised, strict=True)],
            }
            for row in data
        ]
        trainer = Trainer(model, arguments, collate, dataset, callbacks=[EachStep()])
        trainer.train()
    return {
        **clock.figures(),
        "batches": seen[: told["steps"]],
        "loss": next(log["loss"] for log in trainer.state.log_history if "loss" in log),
    }


def _model(folder: str, attention: str):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.bfloat16, attn_implementation=attention, local_files_only=True
    )


def matmul_rate(hidden: int, inner: int, seconds: float = 1.5) -> float:
    """bfloat16 multiply-adds a second, times two, on the MLP's own shape at 880 tokens."""
    x = torch.randn(880, hidden, dtype=torch.bfloat16)
    weight = torch.randn(inner, hidden, dtype=torch.bfloat16)
    for _ in range(3):
        x @ weight.t()
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        x @ weight.t()
        done += 1
    return 2.0 * done * x.shape[0] * hidden * inner / (time.perf_counter() - start)


def main() -> None:
    side, told = sys.argv[1], json.loads(sys.argv[2])
    torch.set_num_threads(told["threads"])
    share_among(told["threads"])
    torch.manual_seed(0)
    config = json.loads((Path(told["model"]) / "config.json").read_text())
    shape = config["hidden_size"], config["intermediate_size"]
    before = matmul_rate(*shape)
    found = {"lab": lab, "peft": peft}[side](told)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    after = matmul_rate(*shape)
    print(json.dumps({**found, "peak_memory_bytes": peak, "matmul_rate": (before + after) / 2}))


if __name__ == "__main__":
    main()
