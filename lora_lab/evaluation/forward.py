"""Token after token through the model, all rows at once, over one key-value cache."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch

from lora_lab.evaluation.prompting import context
from lora_lab.models import prefixed


class Forward:
    """The rows' way through the model: the first step reads the prompts, each later one a token.

    Prompts of different lengths are padded on the left, where the mask hides it, and each row
    counts its positions from its own first token. A row's prefix is the one its way through the
    model has at the first step; it stands before the padding and is counted with the positions.

        row 1   ░ ░ ░ ░ ░ Once upon a │ time …      no prefix, three tokens
        row 2   k k k k ░ ░ ░ The cat │ sat …       a prefix of four, two tokens
    """

    def __init__(self, model: Any, prompts: list[list[int]], steps: int):
        self._model, self._prompts, self._steps = model, prompts, steps
        self._takes = inspect.signature(model.forward).parameters
        self._cache: Any = None

    def _begin(self) -> None:
        befores = prefixed.rows(self._model, len(self._prompts))
        lengths = [0 if before is None else len(before) for before in befores]
        P, longest = max(lengths), max(map(len, self._prompts))
        new_RT = torch.zeros((len(self._prompts), longest), dtype=torch.long)
        mask_RS = torch.ones((len(self._prompts), P + longest + self._steps), dtype=torch.long)
        for row, (ids, length) in enumerate(zip(self._prompts, lengths, strict=True)):
            new_RT[row, longest - len(ids) :] = torch.tensor(ids)
            mask_RS[row, : P - length] = 0
            mask_RS[row, P : P + longest - len(ids)] = 0
        # A finished row is carried along; past the context it stays at the last position.
        last = (context(self._model) or mask_RS.shape[1]) - 1
        positions_RS = (mask_RS.cumsum(-1) - 1).clamp(min=0, max=last)
        device = self._model.get_input_embeddings().weight.device
        self._new_RT, self._mask_RS = new_RT.to(device), mask_RS.to(device)
        self._positions_RS = positions_RS.to(device)
        self._length = P + longest
        self._cache = prefixed.cache(self._model, befores)

    @torch.inference_mode()
    def step(self, choose: Callable[[torch.Tensor], torch.Tensor]) -> list[int]:
        """One token more for every row, chosen from logits [rows, vocabulary]."""
        if self._cache is None:
            self._begin()
        tokens_R = choose(self._logits())
        self._new_RT = tokens_R[:, None]
        self._length += 1
        return tokens_R.tolist()

    def _logits(self) -> torch.Tensor:
        """Logits after each row's last token [rows, vocabulary], float32."""
        end = self._length
        told = {
            "position_ids": self._positions_RS[:, end - self._new_RT.shape[1] : end],
            "logits_to_keep": 1,
        }
        out = self._model(
            input_ids=self._new_RT,
            attention_mask=self._mask_RS[:, :end],
            past_key_values=self._cache,
            use_cache=True,
            **{name: value for name, value in told.items() if name in self._takes},
        )
        return out.logits[:, -1].float()
