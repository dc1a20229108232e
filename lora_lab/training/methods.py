"""What is trained: an adapter beside the frozen base, or the base itself.

To the loop all methods look alike: parameters by name, and a way to put kept tensors back. To a
run's folder too: what comes out is a folder that other tools read, an adapter in PEFT's format or,
of full fine-tuning, a whole model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lora_lab.config import Settings
from lora_lab.lora import attaching, peft_format, prefix, targets
from lora_lab.lora.adapter import Adapter
from lora_lab.lora.routing import Routing
from lora_lab.training import rates

ADAPTER = "adapter"  # its name while it is attached


Save = Callable[[Path, str, dict[str, Any]], None]  # folder, the base's name, facts


class Method(Protocol):
    """Something put on a model to be trained.

    parameters: what the optimiser moves, by the names under which a checkpoint keeps it.
    routing: the model's adapters, for generation; None where there are none.
    """

    parameters: dict[str, nn.Parameter]
    routing: Routing | None

    def groups(self) -> list[dict[str, Any]]:
        """The optimiser's parameter groups: "params", and "ratio" times the learning rate."""

    def set(self, tensors: dict[str, Tensor]) -> None:
        """Put tensors that were kept (by the names of parameters) in place."""

    def at_rest(self) -> AbstractContextManager[None]:
        """The base alone, for as long as this holds: a prefix is not silent before its training,
        as LoRA is. (Before full fine-tuning the model is the base.)"""

    def take_off(self) -> Save:
        """The base is back, bit for bit (of full fine-tuning there is none to give back); what is
        returned writes the result down as others read it, and the facts beside it."""


def put(model: nn.Module, settings: Settings, tokenizer: Any = None) -> Method:
    """The settings' method on model, ready to train. tokenizer: saved beside a whole model."""
    if settings.method == "full":
        return Full(model, tokenizer)
    return Adapting(model, settings)


class Adapting:
    """The base is frozen; trained are A and B beside its target matrices, keys and values before
    the text, or both."""

    def __init__(self, model: nn.Module, settings: Settings):
        self._model, self._ratio = model, settings.rate_ratio
        self.routing: Routing | None = _attached(model, settings)
        names = attaching.state(model, ADAPTER)
        trained = attaching.trainable_parameters(model, ADAPTER)
        self.parameters = dict(zip(names, trained, strict=True))

    def groups(self) -> list[dict[str, Any]]:
        ratios = {name: self._rate_over_a(name) for name in self.parameters}
        return [
            {"params": [p for name, p in self.parameters.items() if ratios[name] == ratio]}
            | {"ratio": ratio}
            for ratio in dict.fromkeys(ratios.values())
        ]

    def _rate_over_a(self, name: str) -> float:
        """LoRA+ (Hayou et al. 2024, arXiv:2402.12354, section 4): B learns `ratio` times as fast as
        A, and so does DoRA's magnitude; an embedding's pair learns at the plain rate. A prefix
        beside LoRA learns as much faster than A as it would alone."""
        assert self.routing is not None
        if name == "prefix":
            return 1.0 if len(self.parameters) == 1 else rates.PREFIX_OVER_LORA
        path, _, side = name.rpartition(".")
        plain = side == "A" or path in self.routing.known[ADAPTER].embeddings
        return 1.0 if plain else self._ratio

    def set(self, tensors: dict[str, Tensor]) -> None:
        attaching.set_state(self._model, ADAPTER, tensors)

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        assert self.routing is not None
        before = self.routing.whole
        self.routing.off()
        try:
            yield
        finally:
            self.routing.whole = before

    def take_off(self) -> Save:
        adapter = attaching.extract(self._model, ADAPTER)
        attaching.detach(self._model)
        return lambda folder, base_name, facts: peft_format.save(folder, adapter, base_name, facts)


def _attached(model: nn.Module, settings: Settings) -> Routing:
    before = None
    if settings.method in ("prefix", "lora-prefix"):
        prefix.check_room(model, settings.prefix_tokens, settings.max_length)
        before = prefix.gaussian(model, settings.prefix_tokens, settings.seed)
    if settings.method == "prefix":
        return attaching.add(model, ADAPTER, Adapter(0, 0, {}, prefix=before))
    paths = targets.resolve(settings.targets, attaching.matrices(model))
    routing = attaching.attach(
        model,
        ADAPTER,
        paths,
        settings.rank,
        settings.alpha,
        settings.dropout,
        settings.seed,
        rank_stabilised=settings.scaling == "rank-stabilised",
        init=settings.init,
        with_magnitudes=settings.method == "dora",
    )
    if before is not None:
        prefix.put(model, ADAPTER, before, routing)
    return routing


class Full:
    """Full fine-tuning: every weight of the base is trained, and the result is a model folder."""

    routing: Routing | None = None

    def __init__(self, model: nn.Module, tokenizer: Any):
        self._model, self._tokenizer = model, tokenizer
        for parameter in model.parameters():
            parameter.requires_grad_(True)
        self.parameters = dict(model.named_parameters())  # a tied weight once

    def groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.parameters.values()), "ratio": 1.0}]

    @torch.no_grad()
    def set(self, tensors: dict[str, Tensor]) -> None:
        for name, parameter in self.parameters.items():
            parameter.copy_(tensors[name])

    def at_rest(self) -> AbstractContextManager[None]:
        return nullcontext()

    def take_off(self) -> Save:
        return self._save

    def _save(self, folder: Path, base_name: str, facts: dict[str, Any]) -> None:
        made: Any = self._model
        made.save_pretrained(folder)
        if self._tokenizer is not None:
            self._tokenizer.save_pretrained(folder)
        peft_format.write_facts(folder, facts)
