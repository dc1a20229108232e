"""One batched pass for a base and three adapters against four calls of model.generate.

    python -m benchmarks.comparing [--model NAME] [--tokens 128] [--repeats 3]

Both sides have the same model, the same LoRA layers, the same prompt and as many tokens; they take
turns, so that whatever else slows the machine slows both. Printed are the medians of the clock's
seconds and of the processor's, and the ratio of each round in both; on a busy machine believe the
processor's.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import torch

from lora_lab.config import Settings
from lora_lab.evaluation.generating import stream
from lora_lab.lora import attaching, targets
from lora_lab.lora.adapter import Adapter
from lora_lab.models import loading, sources
from lora_lab.training import machine

PROMPT = "Tell me a story about a fox who wanted to learn how to swim."
COLUMNS = [None, ("one", 1.0), ("two", 1.0), ("three", 0.5)]


def adapted(model, rank: int, chosen: str):
    """Three random adapters, small enough that the answers stay answers."""
    paths = targets.resolve(chosen, attaching.matrices(model))
    generator = torch.Generator().manual_seed(0)
    for name in ("one", "two", "three"):
        routing = attaching.attach(model, name, paths, rank, 2.0 * rank)
        made = attaching.extract(model, name)
        tensors = {
            path: (A, torch.randn(B.shape, generator=generator) * 0.02)
            for path, (A, B) in made.tensors.items()
        }
        attaching.add(model, name, Adapter(rank, 2.0 * rank, tensors))
    return routing


def one_pass(model, tokenizer, routing, tokens: int) -> None:
    for _ in stream(model, tokenizer, routing, [PROMPT], COLUMNS, tokens):
        pass


def four_calls(model, tokenizer, routing, tokens: int) -> None:
    messages = [{"role": "user", "content": PROMPT}]
    text = PROMPT
    if tokenizer.chat_template:
        text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False).to(model.device)
    for column in COLUMNS:
        routing.all(*column) if column else routing.off()
        model.generate(**ids, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False)


def seconds(side, *told) -> tuple[float, float]:
    """(by the clock, by the processor) that a side takes."""
    began = time.perf_counter(), time.process_time()
    side(*told)
    return time.perf_counter() - began[0], time.process_time() - began[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=Settings().model)
    parser.add_argument("--targets", default="attention-qv")
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    told = parser.parse_args()
    place = machine.settle(Settings(), small=False)
    place.take()
    model, tokenizer = loading.load(sources.fetch(told.model), place.dtype)
    model.to(place.device)
    routing = adapted(model, told.rank, told.targets)
    # No row may end early: both sides write every token.
    model.generation_config.eos_token_id = tokenizer.eos_token = None
    sides = {"one pass": one_pass, "four calls": four_calls}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for repeat in range(1 + told.repeats):
        for name, side in sides.items():
            taken = seconds(side, model, tokenizer, routing, told.tokens)
            if repeat:  # the first round warms up
                times[name].append(taken)
    print(f"{told.model}, {told.targets}, rank {told.rank}, {place}, {told.tokens} tokens × 4")
    for kind, which in (("clock", 0), ("processor", 1)):
        one, four = ([taken[which] for taken in times[name]] for name in sides)
        ratios = [b / a for a, b in zip(one, four, strict=True)]
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(
            f"{kind:>9}: one pass {median(one):6.2f} s, four calls {median(four):6.2f} s,"
            f" {median(ratios):.2f} times ({each})"
        )


if __name__ == "__main__":
    main()
