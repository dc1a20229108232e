"""The search behind the defaults: what the first press of Train gives, for several targets and
learning rates, on the model and the near stories in the box.

    python -m benchmarks.defaults [--steps 100] [--batch-size 8]

Prints held-out loss before and after (nats a token), the seconds of training, and a sample.
"""

from __future__ import annotations

import argparse
import os
import tempfile

from lora_lab import lab
from lora_lab.config import Settings
from lora_lab.runs import folder
from lora_lab.runs.worker import run_to_its_end

RATES = (5e-3, 1e-2, 2e-2, 5e-2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=8)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["LORA_LAB_HOME"] = home
        for targets in ("attention-qv", "attention", "linear"):
            for rate in RATES:
                print(f"{targets:13} {rate:6g}", _arm(targets, rate, told), flush=True)


def _arm(targets: str, rate: float, told: argparse.Namespace) -> str:
    settings = Settings(
        targets=targets,
        learning_rate=rate,
        steps=told.steps,
        batch_size=told.batch_size,
        evaluate_every=told.steps,
        sample_every=told.steps,
    )
    run = folder.find(lab.start(settings, "search"))
    run_to_its_end(run)
    result = run.result() or {}
    text = next(e["text"] for e in reversed(run.events()[0]) if e["kind"] == "sample")
    return (
        f"{result['heldout_loss_before']:.3f} -> {result['heldout_loss']:.3f}  "
        f"{result['seconds']:5.1f} s  {' '.join(text.split())[:70]}"
    )


if __name__ == "__main__":
    main()
