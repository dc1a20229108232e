"""Is the forecast right? Three models train, each in a process of its own, and the time and memory
that were foretold stand beside those that were measured.

    python -m benchmarks.forecast [--steps 30]

The model in the box, a random GPT-2 (plain autograd) and a random Llama (the lean forward), each
with the samples' near stories. Time is measured from the first step to the adapter.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from lora_lab import lab
from lora_lab.config import Settings, assets
from lora_lab.runs import folder
from lora_lab.training import speed

LLAMA = {"hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 12}
LLAMA |= {"num_attention_heads": 8, "num_key_value_heads": 4, "tie_word_embeddings": True}
GPT2 = {"n_embd": 384, "n_layer": 8, "n_head": 6, "n_positions": 512}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=30)
    steps = parser.parse_args().steps
    with tempfile.TemporaryDirectory() as home:
        os.environ["LORA_LAB_HOME"] = home
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # as the lab starts its workers
        print(speed.measure())
        models = {
            "tiny-stories": "tiny-stories",
            "random Llama": _random("llama", LLAMA, Path(home) / "llama"),
            "random GPT-2": _random("gpt2", GPT2, Path(home) / "gpt2"),
        }
        for name, model in models.items():
            for targets in ("attention-qv", "linear"):
                settings = Settings(model=model, targets=targets, steps=steps)
                print(f"{name:13} {targets:13}", _beside(settings), flush=True)


def _random(family: str, shape: dict, path: Path) -> str:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(assets() / "tiny-stories")
    config = AutoConfig.for_model(family, vocab_size=len(tokenizer), eos_token_id=2, **shape)
    AutoModelForCausalLM.from_config(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return str(path)


def _beside(settings: Settings) -> str:
    list(lab.describe(settings.model))
    (told,) = (e for e in lab.preview(vars(settings)) if e["kind"] == "preview")
    run = folder.find(lab.start(settings, "benchmark", reading=told))
    subprocess.run([sys.executable, "-m", "lora_lab.runs.worker", run.path], check=True)
    foretold, measured = run.config["forecast"], run.result()
    seconds = measured["seconds"], foretold["seconds"]
    memory = measured["peak_memory_bytes"] / 1e9, foretold["memory_bytes"] / 1e9
    return (
        f"seconds {seconds[0]:6.1f}, foretold {seconds[1]:6.1f} ({seconds[1] / seconds[0]:.2f}×)   "
        f"memory {memory[0]:.2f} GB, foretold {memory[1]:.2f} GB ({memory[1] / memory[0]:.2f}×)"
    )


if __name__ == "__main__":
    main()
