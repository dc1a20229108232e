"""What this machine has, and what of it a run should use."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import psutil
import torch

from lora_lab.config import Settings
from lora_lab.errors import LabError
from lora_lab.models.shares import share_among
from lora_lab.training import speed


@dataclass(frozen=True)
class Place:
    """Where and in what numbers a run computes: settled once, then kept in its config.

    Threads and processor decide the last bits of a sum, so an exact resume needs the same ones.
    """

    device: str
    precision: str  # of the frozen base; the adapter is float32
    threads: int  # that split one product of matrices
    shares: int = 1  # of a batch's rows, computed at the same time (models/shares.py)

    @property
    def dtype(self) -> torch.dtype:
        return getattr(torch, self.precision)

    def take(self) -> None:
        """This process computes so from now on."""
        torch.set_num_threads(self.threads)
        share_among(self.shares)


def settle(settings: Settings, small: bool) -> Place:
    """The device, precision and threads that settings and this machine come to.

    small: whether the model is (models.shapes.Shapes.small).

    Raises LabError when the device that was asked for is not here.
    """
    device = settings.device
    if device == "auto":
        device = next((name for name in ("cuda", "mps") if _has(name)), "cpu")
    elif not _has(device):
        raise LabError("no_such_device", device=device.upper())
    precision = settings.precision
    if precision == "auto":
        # Full fine-tuning moves the weights themselves by steps that bfloat16 would round away.
        fast = _fast_in_bfloat16(device) and not (small and device == "cpu")
        fast = fast and settings.method != "full"
        precision = "bfloat16" if fast else "float32"
    cores = min(settings.threads or speed.cores(), os.cpu_count() or 1)
    # A small product gains a fifth from a second thread, and loses far more as soon as another
    # process (the page, an answer) wants that core: threads that wait for each other wait long.
    threads = 1 if small else cores
    return Place(device, precision, threads, shares=cores if device == "cpu" else 1)


def peak_memory(device: str) -> int:
    """The most memory this run has held so far, in bytes: the process's, or the GPU's."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _has(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_available()
    return device == "cpu" or torch.backends.mps.is_available()


def _fast_in_bfloat16(device: str) -> bool:
    """Whether the hardware multiplies bfloat16 matrices itself; emulated, they are slower."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
