"""Several adapters made into one.

A weighted sum is exact, whatever the ranks, alphas and targets: with s = alpha / r (or alpha / √r),

    Σ wᵢ sᵢ Bᵢ Aᵢ  =  [w₁ s₁ B₁ | w₂ s₂ B₂ | …] · [A₁; A₂; …]        rank r₁ + r₂ + …

0.7 of a rank 4 and 0.3 of a rank 16 on one matrix make a rank 20 there. Scale and weight are folded
into B and alpha = r is written for each matrix, so that alpha / r is 1 for every reader.

A sum may be compressed to a rank k by its singular values, which is the closest there is (Eckart
and Young 1936). TIES (Yadav et al. 2023, arXiv:2306.01708, section 3) and DARE (Yu et al. 2023,
arXiv:2311.03099, section 3) work entry by entry on the updates themselves, matrix by matrix, and
what they give has full rank: it is always compressed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from lora_lab.config import MIXINGS, choice
from lora_lab.errors import LabError
from lora_lab.lora import spectrum
from lora_lab.lora.adapter import Adapter
from lora_lab.lora.peft_config import LARGEST_RANK

Pair = tuple[torch.Tensor, torch.Tensor]  # A [r, in], B [out, r]
Parts = Sequence[tuple[Adapter, float]]  # adapters and their weights


@dataclass(frozen=True)
class Mixed:
    """What mixing gave. errors: by matrix, the part of the mixture that compression lost, as
    ‖lost‖ / ‖mixture‖ in the Frobenius norm; error: the same over all matrices together."""

    adapter: Adapter
    errors: dict[str, float]
    error: float


def mix(
    parts: Parts, method: str = "sum", rank: int = 0, density: float = 0.5, seed: int = 0
) -> Mixed:
    """One adapter out of several on the same base.

    method: "sum" (exact where rank is 0), "ties" or "dare". rank: to compress each matrix to; 0
    takes the sum of the ranks there. density: the share of entries that TIES and DARE keep; seed:
    of DARE's draws. Raises LabError: nothing to mix, weights that are no numbers, adapters that are
    no sum of matrices, shapes that differ, a rank that no file holds.
    """
    _check(parts, method, rank, density)
    change = _changes(method, density, torch.Generator().manual_seed(seed))
    made: dict[str, tuple[Pair, float, float]] = {}
    for path in dict.fromkeys(path for adapter, _ in parts for path in adapter.tensors):
        joined = _side_by_side(parts, path)
        kept = min(rank or joined[0].shape[0], joined[0].shape[1], joined[1].shape[0])
        if change:
            made[path] = _truncated(change(_updates(parts, path)), kept)
        elif rank:
            made[path] = compress(joined, kept)
        else:
            made[path] = joined, 0.0, 1.0
    return _mixed(made, [adapter for adapter, _ in parts])


def _side_by_side(parts: Parts, path: str) -> Pair:
    """The weighted sum at one matrix, exact: A [Σr, in], B [out, Σr], to be scaled by 1."""
    there = [(adapter, weight) for adapter, weight in parts if path in adapter.tensors]
    scaled = [adapter.tensors[path][1] * (w * adapter.scaling(path)) for adapter, w in there]
    return torch.cat([adapter.tensors[path][0] for adapter, _ in there]), torch.cat(scaled, dim=1)


def compress(pair: Pair, rank: int) -> tuple[Pair, float, float]:
    """B A at a smaller rank, with what was lost and what there was (squared Frobenius norms)."""
    U, S, Vh = spectrum.svd(*pair)
    kept = min(rank, len(S))
    thin = _balanced(U[:, :kept], S[:kept], Vh[:kept])
    return thin, S[kept:].square().sum().item(), S.square().sum().item()


def _truncated(update: torch.Tensor, rank: int) -> tuple[Pair, float, float]:
    """As compress, for an update [out, in] of any rank."""
    U, S, Vh = torch.linalg.svd(update.double(), full_matrices=False)
    lost, whole = S[rank:].square().sum().item(), S.square().sum().item()
    return _balanced(U[:, :rank], S[:rank], Vh[:rank]), lost, whole


def _balanced(U: torch.Tensor, S: torch.Tensor, Vh: torch.Tensor) -> Pair:
    """U S Vh with √S on either side, so that neither A nor B is the large one; float32."""
    root = S.sqrt()
    return (root[:, None] * Vh).float().contiguous(), (U * root).float().contiguous()


Change = Callable[[list[torch.Tensor]], torch.Tensor]


def _changes(method: str, density: float, draws: torch.Generator) -> Change | None:
    if method == "ties":
        return lambda updates: ties(updates, density)
    if method == "dare":
        return lambda updates: dare(updates, density, draws)
    return None


def ties(updates: list[torch.Tensor], density: float) -> torch.Tensor:
    """Trim each update to its largest entries, elect a sign for each entry, and take the mean of
    those that have it. updates: weighted already, so a weight counts in the election too."""
    trimmed = torch.stack([_largest(update, density) for update in updates])
    agree = trimmed.sign() == trimmed.sum(0).sign()
    return (trimmed * agree).sum(0) / agree.sum(0).clamp(min=1)


def _largest(update: torch.Tensor, density: float) -> torch.Tensor:
    kept = max(1, int(density * update.numel()))
    flat = torch.zeros_like(update).view(-1)
    places = update.reshape(-1).abs().topk(kept).indices
    return flat.index_copy_(0, places, update.reshape(-1)[places]).view_as(update)


def dare(updates: list[torch.Tensor], density: float, draws: torch.Generator) -> torch.Tensor:
    """Drop entries of each update at random, make up for them in those that stay, and sum."""
    kept = (torch.rand(u.shape, generator=draws) < density for u in updates)
    return sum(
        (update * stays / density for update, stays in zip(updates, kept, strict=True)),
        torch.zeros_like(updates[0]),
    )


def _updates(parts: Parts, path: str) -> list[torch.Tensor]:
    """w s B A [out, in] of each adapter that has this matrix."""
    alone = [_side_by_side([part], path) for part in parts if path in part[0].tensors]
    return [B @ A for A, B in alone]


def _mixed(made: dict[str, tuple[Pair, float, float]], of: list[Adapter]) -> Mixed:
    ranks = {path: pair[0].shape[0] for path, (pair, _, _) in made.items()}
    common = max(ranks.values())
    adapter = Adapter(
        rank=common,
        alpha=float(common),
        tensors={path: pair for path, (pair, _, _) in made.items()},
        alphas={path: float(rank) for path, rank in ranks.items() if rank != common},
        fan_in_fan_out=any(part.fan_in_fan_out for part in of),
        embeddings=frozenset[str]().union(*(part.embeddings for part in of)),
    )
    errors = {path: _share(lost, whole) for path, (_, lost, whole) in made.items()}
    lost = sum(lost for _, lost, _ in made.values())
    return Mixed(adapter, errors, _share(lost, sum(whole for _, _, whole in made.values())))


def _share(lost: float, whole: float) -> float:
    return math.sqrt(lost / whole) if whole else 0.0


def _check(parts: Parts, method: str, rank: int, density: float) -> None:
    if not parts:
        raise LabError("mix_nothing")
    for adapter, weight in parts:
        if not math.isfinite(weight) or abs(weight) > 1000:
            raise LabError("mix_weight", value=str(weight))
        check_sum_of_matrices(adapter)
        if adapter.magnitudes:
            raise LabError("mix_dora")
    choice({"say": "adapters.method.label"}, method, MIXINGS)
    if not 0 <= rank <= LARGEST_RANK:
        raise LabError("mix_rank", rank=rank, most=LARGEST_RANK)
    if not 0 < density <= 1:
        raise LabError("mix_density", value=str(density))
    if method != "sum" and not rank:
        raise LabError("mix_needs_rank", method=method.upper())
    _check_shapes(parts, rank)


def check_sum_of_matrices(adapter: Adapter) -> None:
    """Only what is W0 + s B A can be summed: LabError says what else this adapter is."""
    if adapter.prefix is not None:
        raise LabError("mix_prefix")
    if not adapter.tensors:
        raise LabError("mix_no_matrices")


def _check_shapes(parts: Parts, rank: int) -> None:
    sizes: dict[str, tuple[int, int]] = {}
    ranks: dict[str, int] = {}
    for adapter, _ in parts:
        for path, (A, B) in adapter.tensors.items():
            size = (A.shape[1], B.shape[0])
            if sizes.setdefault(path, size) != size:
                found, expected = (f"{i} → {o}" for i, o in (size, sizes[path]))
                raise LabError("mix_shapes", path=path, found=found, expected=expected)
            ranks[path] = ranks.get(path, 0) + A.shape[0]
    if not rank and max(ranks.values()) > LARGEST_RANK:
        raise LabError("mix_rank", rank=max(ranks.values()), most=LARGEST_RANK)
