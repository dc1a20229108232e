"""adapter_model.safetensors, read with suspicion: names and shapes first, numbers last.

base_model.model.<path>.lora_A.weight           [r, in]     beside a matrix, with
base_model.model.<path>.lora_B.weight           [out, r]
base_model.model.<path>.lora_embedding_A        [r, tokens] beside an embedding, with
base_model.model.<path>.lora_embedding_B        [width, r]
base_model.model.<path>.lora_magnitude_vector   [out]       DoRA's m, beside either
base_model.model.<path>[.base_layer].weight     the base's own embedding or head, which peft
                                                writes along when one of them is a target
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from lora_lab.errors import LabError
from lora_lab.lora.counting import tensor_name
from lora_lab.lora.targets import EMBEDDINGS, HEADS

MOST_TENSORS = 20_000
LONGEST_NAME = 250  # letters
KINDS = ("F32", "F16", "BF16")
_NAME = re.compile(
    r"base_model\.model\.([\w.]+)\."
    r"(?:lora_([AB])\.weight|lora_embedding_([AB])|(lora_magnitude_vector))"
)
_BROUGHT = re.compile(
    rf"base_model\.model\.((?:[\w.]+\.)?(?:{'|'.join(EMBEDDINGS | HEADS)}))"
    r"(?:\.base_layer)?\.weight"
)


@dataclass
class Tensors:
    """A file's tensors by full module path, as Adapter has them; float32, but for what came along,
    which stays as it is."""

    pairs: dict[str, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)
    magnitudes: dict[str, torch.Tensor] = field(default_factory=dict)
    embeddings: frozenset[str] = frozenset()
    brought: dict[str, torch.Tensor] = field(default_factory=dict)


def read_tensors(file: Path, rank_of: Callable[[str], int], with_magnitudes: bool) -> Tensors:
    """rank_of: the rank that the configuration gives the matrix at a path; with_magnitudes: whether
    it says DoRA. Raises LabError when the file is broken, a name is not LoRA's, half of a pair or a
    magnitude is missing, a shape or a number is wrong."""
    try:
        with safe_open(file, framework="pt") as opened:
            return _File(opened, file).read(rank_of, with_magnitudes)
    except (SafetensorError, OSError, ValueError):
        raise LabError("adapter_file_broken", file=file.name) from None


class _File:
    """names: by path and part ("A", "B", "magnitude"), what the file calls it; brought: by path."""

    def __init__(self, opened, file: Path):
        self.opened, self.file = opened, file
        self.names: dict[str, dict[str, str]] = {}
        self.brought: dict[str, str] = {}
        names = list(opened.keys())
        if len(names) > MOST_TENSORS:
            raise self.error("adapter_too_many", count=len(names), most=MOST_TENSORS)
        for name in names:
            found, along = _NAME.fullmatch(name), _BROUGHT.fullmatch(name)
            if not (found or along) or len(name) > LONGEST_NAME:
                raise self.error("adapter_strange_tensor", name=name[:LONGEST_NAME])
            if found:
                part = found[2] or found[3] or "magnitude"
                self.names.setdefault(found[1], {})[part] = name
            elif along:
                self.brought[along[1]] = name

    def error(self, key: str, **facts) -> LabError:
        return LabError(key, file=self.file.name, **facts)

    def read(self, rank_of: Callable[[str], int], with_magnitudes: bool) -> Tensors:
        if not self.names:
            raise self.error("adapter_empty")
        paths = sorted(self.names, key=_natural)
        lookups = frozenset(p for p in paths if self.names[p].get("A") == tensor_name(p, "A", True))
        for path in paths:
            self._check_parts(path, path in lookups, with_magnitudes)
            self._check_shapes(path, rank_of(path))
        return Tensors(
            pairs={path: (self._numbers(path, "A"), self._numbers(path, "B")) for path in paths},
            magnitudes={p: self._numbers(p, "magnitude") for p in paths if with_magnitudes},
            embeddings=lookups,
            brought={path: self.opened.get_tensor(name) for path, name in self.brought.items()},
        )

    def _check_parts(self, path: str, lookup: bool, with_magnitudes: bool) -> None:
        """A pair of one kind, and a magnitude where there should be one and nowhere else."""
        names = self.names[path]
        wanted = {"A": tensor_name(path, "A", lookup), "B": tensor_name(path, "B", lookup)}
        for side in "AB":
            if names.get(side) != wanted[side]:
                raise self.error("adapter_half_pair", path=path, missing=side)
        if ("magnitude" in names) != with_magnitudes:
            raise self.error("adapter_magnitudes", path=path)

    def _check_shapes(self, path: str, rank: int) -> None:
        slices = {p: self.opened.get_slice(n) for p, n in self.names[path].items()}
        shapes = {part: tuple(told.get_shape()) for part, told in slices.items()}
        A, B = shapes["A"], shapes["B"]
        fits = [len(A), len(B)] == [2, 2] and (A[0], B[1]) == (rank, rank)
        fits = fits and shapes.get("magnitude", B[:1]) == B[:1]
        if not fits:
            told = {"A": str(list(A)), "B": str(list(B))}
            raise self.error("adapter_bad_shape", path=path, rank=rank, **told)
        for told in slices.values():
            if told.get_dtype() not in KINDS:
                raise self.error("adapter_bad_dtype", path=path, found=told.get_dtype())

    def _numbers(self, path: str, part: str) -> torch.Tensor:
        tensor = self.opened.get_tensor(self.names[path][part]).float()
        if not tensor.isfinite().all():
            raise self.error("adapter_not_finite", path=path)
        return tensor


def _natural(path: str) -> list[tuple[bool, int, str]]:
    """layers.2 before layers.10: the order in which a person, and the model, count them."""
    return [(p.isdigit(), int(p) if p.isdigit() else 0, p) for p in path.split(".")]
