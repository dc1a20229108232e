"""How much an adapter is, from the shapes of the matrices alone.

A matrix of in × out entries gets A [r, in] and B [out, r]: r·(in + out) trainable numbers in place
of in·out. SmolLM2-135M, rank 8, on queries (576 → 576) and values (576 → 192) of 30 layers:
30 · 8 · ((576 + 576) + (576 + 192)) = 460,800 of 134,515,008, and a file of 1.9 MB.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from lora_lab.lora.targets import resolve

FLOAT32 = 4  # bytes
Sizes = Mapping[str, tuple[int, int]]  # full module path -> (in, out)


def trainable(sizes: Sizes, targets: str, rank: int) -> int:
    """Trainable numbers of an adapter of this rank on these targets."""
    return sum(rank * sum(sizes[path]) for path in resolve(targets, sizes))


def adapter_bytes(sizes: Sizes, targets: str, rank: int) -> int:
    """Size of adapter_model.safetensors: its header, then each number in four bytes."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for path in sorted(resolve(targets, sizes)):
        inputs, outputs = sizes[path]
        for side, shape in (("A", [rank, inputs]), ("B", [outputs, rank])):
            start, end = end, end + FLOAT32 * shape[0] * shape[1]
            header[tensor_name(path, side)] = {
                "dtype": "F32",
                "shape": shape,
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
