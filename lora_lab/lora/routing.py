"""Which adapter each row of a batch goes through."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from lora_lab.lora.adapter import Adapter

Choice = tuple[str, float] | None  # an adapter's name and its strength; None is the base alone


class Routing:
    """Which adapter each row of the batch goes through: one object, read by every layer."""

    def __init__(self) -> None:
        self.known: dict[str, Adapter] = {}  # by name; what each is, without its tensors
        self.thawed: list[nn.Parameter] = []  # trainable before attaching: thawed on detaching
        self.whole: Choice = None
        self.by_row: list[Choice] | None = None

    def all(self, name: str, strength: float = 1.0) -> None:
        """Every row through this adapter; strength multiplies alpha / r."""
        self.whole, self.by_row = self._checked((name, strength)), None

    def rows(self, choices: Sequence[Choice]) -> None:
        """Row i of the batch through choices[i]."""
        checked = [self._checked(choice) for choice in choices]
        self.whole, self.by_row = None, checked
        if len(set(checked)) == 1:
            self.whole, self.by_row = checked[0], None

    def off(self) -> None:
        """Every row through the base alone."""
        self.whole = self.by_row = None

    def _checked(self, choice: Choice) -> Choice:
        if choice is not None and choice[0] not in self.known:
            raise KeyError(choice[0])
        return choice if choice is not None and choice[1] != 0 else None
