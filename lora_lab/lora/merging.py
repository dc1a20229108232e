"""An adapter made part of its base (section 4.1 of the paper: no additional inference latency).

    W0 [out, in]  +  (alpha / r) · B [out, r] A [r, in]  =  W [out, in]

With DoRA each row of that sum is then multiplied by its gain (dora.py).

W stands where W0 stood, so the model is as large and as quick as its base. The sum rounds:
W - s B A is not W0 to the last bit, so the lab keeps the original instead of subtracting.
"""

from __future__ import annotations

import torch
from torch import nn

from lora_lab.lora import attaching, dora, mixing
from lora_lab.lora.adapter import Adapter
from lora_lab.lora.base import check_untied, matrix


@torch.no_grad()
def merge(model: nn.Module, adapter: Adapter) -> None:
    """Add the adapter to the weights of a float32 model that has no adapter on it.

    Raises LabError and leaves the model as it was: what attaching.add raises, an adapter that is
    no sum of matrices, a matrix that is tied to another.
    """
    mixing.check_sum_of_matrices(adapter)
    attaching.add(model, "to be merged", adapter)  # whoever fits can be attached
    attaching.detach(model)
    for path in adapter.tensors:
        check_untied(model, path, model.get_submodule(path))
    for path, (A, B) in adapter.tensors.items():
        W, scaling = matrix(model.get_submodule(path)), adapter.scaling(path)
        m = adapter.magnitudes.get(path)
        gain = None if m is None else dora.gain(m.to(W), W, A.to(W), B.to(W), scaling)
        W.add_((B @ A).to(W), alpha=scaling)
        if gain is not None:
            W.mul_(gain[:, None])


def round_weights(model: nn.Module, dtype: torch.dtype) -> None:
    """The parameters in dtype, as a file of that dtype is loaded: what a model computes for itself,
    such as rotary frequencies, keeps its precision."""
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
