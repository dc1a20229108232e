"""A short search for a learning rate: along a ladder of rates, to where both neighbours are worse.

Loss over the logarithm of the rate is a valley on every model tried here (benchmarks/defaults.py),
so a walk downhill finds its floor in three to five trainings.
"""

from __future__ import annotations

import math
from collections.abc import Callable

RUNGS = (2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1, 2e-1)


def best_rate(first: float, loss_at: Callable[[float], float]) -> float:
    """The rung of lowest loss, walked to from the one nearest first; each is asked for once."""
    losses: dict[int, float] = {}

    def loss(rung: int) -> float:
        if not 0 <= rung < len(RUNGS):
            return math.inf
        if rung not in losses:
            told = loss_at(RUNGS[rung])
            losses[rung] = told if math.isfinite(told) else math.inf
        return losses[rung]

    here = min(range(len(RUNGS)), key=lambda rung: abs(math.log(RUNGS[rung] / first)))
    while True:
        lowest = min((here, here - 1, here + 1), key=loss)
        # A training that blew up tells no direction but down.
        if lowest == here and math.isinf(loss(here)) and here > 0:
            lowest = here - 1
        if lowest == here:
            return RUNGS[here]
        here = lowest
