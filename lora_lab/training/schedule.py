"""The learning rate at each step: a linear warm-up, then half a cosine down to zero."""

from __future__ import annotations

import math


def learning_rate(step: int, steps: int, peak: float, warmup_share: float) -> float:
    """The rate of update number step (counted from 0) of steps, highest at peak.

    The warm-up takes warmup_share of the steps and its first update is already above zero; the
    cosine (Loshchilov & Hutter 2017, arXiv:1608.03983, §3) would reach zero one step past the end.
    """
    warmup = round(steps * warmup_share)
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))
