"""Training speed and memory against PEFT under transformers' Trainer: same model, same rows, same
rank, bfloat16 base, batches of 8.

    python -m benchmarks.training [--targets attention-qv linear] [--rounds 2] [--steps 10]

Each side runs alone in its process, the two in turns, so that a slow minute of the machine falls
on both. Tokens are real ones: padding is not counted. Three comparisons a set of targets:

    same order     the rival's own shuffled batches, on both sides
    as they come   each in its own order: the lab groups rows by length, Trainer shuffles
    each best      the rival groups by length too, with the faster on this machine of its two
                   attentions, which is not the one it comes with

And the share of the machine's bfloat16 matrix-multiply rate, measured in the same processes, that
the lab's step reaches: what the arithmetic of a step would take at that rate, over what it takes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from lora_lab.models import sources

ROOT = Path(__file__).parent.parent
SUPERVISED, MEAN_TOKENS = 0.41, 110


def run(side: str, told: dict[str, Any]) -> dict[str, Any]:
    """One side in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.training_side", side, json.dumps(told)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(told["threads"]), "HF_HUB_OFFLINE": "1"},
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def compare(told: dict[str, Any]) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Name of the comparison -> (lab, rival), all measured one after the other."""
    plain = run("peft", {**told, "sampling": "random", "attention": "sdpa"})
    same = run("lab", {**told, "batches": plain["batches"]})
    grouped = {**told, "sampling": "group_by_length"}
    tuned = [run("peft", {**grouped, "attention": "sdpa"})]
    own = run("lab", {**told, "batches": None})
    tuned.append(run("peft", {**grouped, "attention": "eager"}))
    return {
        "same order": (same, plain),
        "as they come": (own, plain),
        "each best": (own, max(tuned, key=lambda rival: rival["tokens_per_second"])),
    }


def flops_a_token(folder: str) -> float:
    """Arithmetic that a training step of this Llama-shaped model cannot do without, a real token:
    forward and the gradient with respect to activations, the head at supervised tokens alone."""
    told = json.loads((Path(folder) / "config.json").read_text())
    hidden, inner, layers = (
        told[name] for name in ("hidden_size", "intermediate_size", "num_hidden_layers")
    )
    heads, kv_heads = told["num_attention_heads"], told["num_key_value_heads"]
    width = told.get("head_dim") or hidden // heads
    matrices = hidden * width * (2 * heads + 2 * kv_heads) + 3 * hidden * inner
    attention = 2 * MEAN_TOKENS * heads * width
    head = SUPERVISED * told["vocab_size"] * hidden
    return 4.0 * (layers * matrices + head) + 6.0 * layers * attention


def summary(rounds: list[tuple[dict[str, Any], dict[str, Any]]], flops: float) -> dict[str, Any]:
    def middle(figure) -> float:
        return statistics.median(figure(ours, rival) for ours, rival in rounds)

    return {
        "lab_tokens_per_second": middle(lambda ours, _: ours["tokens_per_second"]),
        "peft_tokens_per_second": middle(lambda _, rival: rival["tokens_per_second"]),
        "speed_ratio": middle(lambda o, r: o["tokens_per_second"] / r["tokens_per_second"]),
        "processor_time_ratio": middle(
            lambda o, r: o["tokens_per_processor_second"] / r["tokens_per_processor_second"]
        ),
        "lab_peak_memory_bytes": middle(lambda ours, _: ours["peak_memory_bytes"]),
        "peft_peak_memory_bytes": middle(lambda _, rival: rival["peak_memory_bytes"]),
        "memory_ratio": middle(lambda o, r: o["peak_memory_bytes"] / r["peak_memory_bytes"]),
        "matmul_gflops": middle(lambda ours, _: ours["matmul_rate"] / 1e9),
        "share_of_matmul_rate": middle(
            lambda ours, _: ours["tokens_per_second"] * flops / ours["matmul_rate"]
        ),
        "rounds": [
            [ours["tokens_per_second"], rival["tokens_per_second"]] for ours, rival in rounds
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--targets", nargs="+", default=["attention-qv", "linear"])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10, help="the first two are not counted")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    asked = parser.parse_args()
    folder = str(sources.fetch(asked.model, lambda progress: None).folder)
    flops = flops_a_token(folder)
    results = {}
    for targets in asked.targets:
        told = {"model": folder, "targets": targets, "steps": asked.steps, "threads": asked.threads}
        rounds = [compare(told) for _ in range(asked.rounds)]
        for name in rounds[0]:
            results[f"{targets}, {name}"] = summary([found[name] for found in rounds], flops)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
