"""Token after token through the model, all rows at once, over one key-value cache."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from transformers import DynamicCache

from lora_lab.evaluation.prompting import context


class Forward:
    """The rows' way through the model: the first step reads the prompts, each later one a token.

    Prompts of different lengths are padded on the left, where the mask hides it, and each row
    counts its positions from its own first token.
    """

    def __init__(self, model: Any, prompts: list[list[int]], steps: int):
        longest = max(map(len, prompts))
        new_RT = torch.zeros((len(prompts), longest), dtype=torch.long)
        mask_RT = torch.ones((len(prompts), longest + steps), dtype=torch.long)
        for row, ids in enumerate(prompts):
            new_RT[row, longest - len(ids) :] = torch.tensor(ids)
            mask_RT[row, : longest - len(ids)] = 0
        # A finished row is carried along; past the context it stays at the last position.
        last = (context(model) or longest + steps) - 1
        positions_RT = (mask_RT.cumsum(-1) - 1).clamp(min=0, max=last)
        device = model.get_input_embeddings().weight.device
        self._new_RT, self._mask_RT = new_RT.to(device), mask_RT.to(device)
        self._positions_RT = positions_RT.to(device)
        self._length = longest
        self._cache = DynamicCache(config=model.config)
        self._model = model
        self._takes = inspect.signature(model.forward).parameters

    @torch.inference_mode()
    def step(self, choose: Callable[[torch.Tensor], torch.Tensor]) -> list[int]:
        """One token more for every row, chosen from logits [rows, vocabulary]."""
        tokens_R = choose(self._logits())
        self._new_RT = tokens_R[:, None]
        self._length += 1
        return tokens_R.tolist()

    def _logits(self) -> torch.Tensor:
        """Logits after each row's last token [rows, vocabulary], float32."""
        end = self._length
        told = {
            "position_ids": self._positions_RT[:, end - self._new_RT.shape[1] : end],
            "logits_to_keep": 1,
        }
        out = self._model(
            input_ids=self._new_RT,
            attention_mask=self._mask_RT[:, :end],
            past_key_values=self._cache,
            use_cache=True,
            **{name: value for name, value in told.items() if name in self._takes},
        )
        return out.logits[:, -1].float()
