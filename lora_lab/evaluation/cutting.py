"""The step people miss: LoRA makes the *update* low-rank, not W0 itself (S1).

    W0 cut to rank r             [U S V]_r x            the model forgets what it knew
    W0 kept, an update of rank r      W0 x + s B A x         the model learns something

Both hold r (in + out) numbers a matrix. Here the first is done: target matrices are replaced by
their nearest ones of rank r, the loss is measured, and the original bits are put back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from lora_lab.errors import LabError
from lora_lab.lora.layer import matrix


class Cut:
    """Matrices of a model with their decompositions, ready to be cut to one rank after another.

    Made by `taking_apart`, which gives the original bits back.
    """

    def __init__(self, model: Any, paths: list[str]):
        self._weights = {path: matrix(model.get_submodule(path)) for path in paths}  # [out, in]
        self._parts: dict[str, tuple[torch.Tensor, ...]] = {}

    @property
    def original(self) -> int:
        """Numbers in the whole matrices."""
        return sum(weight.numel() for weight in self._weights.values())

    @property
    def most(self) -> int:
        """The rank from which on nothing is cut."""
        return max(min(weight.shape) for weight in self._weights.values())

    def decompose(self) -> Iterator[int]:
        """Take every matrix apart; yields how many are done."""
        for done, (path, weight) in enumerate(self._weights.items(), 1):
            self._parts[path] = torch.linalg.svd(weight.float(), full_matrices=False)
            yield done

    def to(self, rank: int) -> dict[str, float]:
        """Cut every matrix to rank in place: the numbers kept, and ‖W0 − W_r‖ / ‖W0‖ of all of
        them together (Frobenius)."""
        kept, left, whole = 0, 0.0, 0.0
        for path, weight in self._weights.items():
            U, S, Vh = self._parts[path]
            with torch.no_grad():
                weight.copy_((U[:, :rank] * S[:rank]) @ Vh[:rank])
            kept += min(rank, len(S)) * sum(weight.shape)
            left += S[rank:].square().sum().item()
            whole += S.square().sum().item()
        return {"kept": kept, "relative_error": (left / whole) ** 0.5 if whole else 0.0}


def memory(model: Any, paths: list[str]) -> int:
    """Bytes that taking the matrices at paths apart adds to the model: the originals kept beside,
    and U, S and Vh of each in float32."""
    weights = [matrix(model.get_submodule(path)) for path in paths]
    kept = sum(weight.numel() * weight.element_size() for weight in weights)
    return kept + sum(4 * min(weight.shape) * (sum(weight.shape) + 1) for weight in weights)


@contextmanager
def taking_apart(model: Any, paths: list[str]) -> Iterator[Cut]:
    """The matrices at paths, to be cut; afterwards they are what they were, bit for bit."""
    originals = {path: model.get_submodule(path).weight.detach().clone() for path in paths}
    try:
        yield Cut(model, paths)
    finally:
        with torch.no_grad():
            for path, original in originals.items():
                model.get_submodule(path).weight.copy_(original)


def checked_ranks(ranks: Any, most: int) -> list[int]:
    """The ranks, each once and rising: None means 1, 2, 4, … and most itself.

    Raises LabError for what is no list of ranks up to most.
    """
    if ranks is None:
        return [*(2**i for i in range(most.bit_length()) if 2**i < most), most]
    sound = isinstance(ranks, list) and all(type(rank) is int for rank in ranks)
    if not sound or not ranks or not 1 <= min(ranks) <= max(ranks) <= most:
        raise LabError("ranks_to_cut", ranks=str(ranks)[:60], most=most)
    return sorted(set(ranks))
