"""How much a method trains and how large its file will be, from shapes and settings alone."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from lora_lab.config import Settings
from lora_lab.errors import LabError
from lora_lab.lora import counting, targets
from lora_lab.models.shapes import Shapes

SHARED_AT_MOST = 20_000_000  # trained numbers, of which each share has a gradient


@dataclass(frozen=True)
class Count:
    """trainable: numbers; file_bytes: of the adapter's files, or of the whole model's; adapted: the
    full paths of the matrices that an adapter stands beside."""

    trainable: int
    file_bytes: int
    adapted: list[str]


def count(shapes: Shapes, settings: Settings) -> Count:
    """Raises LabError("embeddings_tied", "pissa_rank") and what targets.resolve raises."""
    if settings.method == "full":
        return Count(shapes.total, counting.FLOAT32 * shapes.total, [])
    files, adapted = [], []
    if settings.method != "prefix":
        adapted = _adapted(shapes, settings)
        files.append(_adapter(shapes, settings, settings.rank))
    if settings.method in ("prefix", "lora-prefix"):
        numbers = (settings.prefix_tokens, shapes.layers * 2 * shapes.key_width)
        files.append({"prompt_embeddings": numbers})
    trainable = sum(prod(shape) for tensors in files for shape in tensors.values())
    if adapted and settings.init == "pissa":  # kept as plain LoRA, of twice the rank (inits.py)
        files[0] = _adapter(shapes, settings, 2 * settings.rank)
    return Count(trainable, sum(map(counting.file_bytes, files)), adapted)


def shared(settings: Settings, trainable: int) -> bool:
    """Whether threads share the rows of a batch (models/shares.py). Dropout draws from one
    generator, in no order among threads; and a large model's gradients are not held several times.
    """
    return not settings.dropout and trainable <= SHARED_AT_MOST


def _adapter(shapes: Shapes, settings: Settings, rank: int) -> dict[str, counting.Shape]:
    with_magnitudes = settings.method == "dora"
    return counting.adapter_tensors(shapes.sizes(), settings.targets, rank, with_magnitudes)


def _adapted(shapes: Shapes, settings: Settings) -> list[str]:
    sizes = shapes.sizes()
    chosen = targets.resolve(settings.targets, sizes)
    if shapes.tied:
        targets.check_untied(chosen, sizes)
    most = min(min(sizes[path]) for path in chosen)
    if settings.init == "pissa" and settings.rank > most:
        raise LabError("pissa_rank", rank=settings.rank, most=most)
    return chosen
