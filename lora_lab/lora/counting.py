"""How much an adapter is, from the shapes of the matrices alone.

A matrix of in × out entries gets A [r, in] and B [out, r]: r·(in + out) trainable numbers in place
of in·out. SmolLM2-135M, rank 8, on queries (576 → 576) and values (576 → 192) of 30 layers:
30 · 8 · ((576 + 576) + (576 + 192)) = 460,800 of 134,515,008, and a file of 1.9 MB. DoRA adds m
[out] to each: 30 · (576 + 192) = 23,040. A prefix of P tokens is P · layers · 2 · (the width of the
keys, which the values have too): 16 · 30 · 2 · 192 = 184,320.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod

from lora_lab.lora.targets import EMBEDDINGS, last_name, resolve

FLOAT32 = 4  # bytes
Sizes = Mapping[str, tuple[int, int]]  # full module path -> (in, out)
Shape = tuple[int, ...]


def adapter_tensors(
    sizes: Sizes, targets: str, rank: int, with_magnitudes: bool = False
) -> dict[str, Shape]:
    """What the adapter's file holds, which is what is trained: PEFT's names and the shapes."""
    tensors: dict[str, Shape] = {}
    for path in resolve(targets, sizes):
        inputs, outputs = sizes[path]
        lookup = last_name(path) in EMBEDDINGS
        tensors[tensor_name(path, "A", lookup)] = rank, inputs
        tensors[tensor_name(path, "B", lookup)] = outputs, rank
        if with_magnitudes:
            tensors[magnitude_name(path)] = (outputs,)
    return tensors


def file_bytes(tensors: Mapping[str, Shape]) -> int:
    """Size of a safetensors file: its header, then each number in four bytes."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in sorted(tensors):
        start, end = end, end + FLOAT32 * prod(tensors[name])
        header[name] = {
            "dtype": "F32",
            "shape": tensors[name],
            "data_offsets": [start, end],
        }
    written = len(json.dumps(header, separators=(",", ":")))
    return 8 + (written + 7) // 8 * 8 + end


def tensor_name(path: str, side: str, lookup: bool = False) -> str:
    """What PEFT calls the A or the B of the matrix at path; lookup: of the embedding there."""
    own = f"lora_embedding_{side}" if lookup else f"lora_{side}.weight"
    return f"base_model.model.{path}.{own}"


def magnitude_name(path: str) -> str:
    """What PEFT calls DoRA's m of the matrix at path."""
    return f"base_model.model.{path}.lora_magnitude_vector"
