"""A row's text as its tokens arrive, never half a character.

A token may hold part of a character (a byte of "ñ" or of an emoji), and a decoder shows such a
part as U+FFFD until the rest comes. So what ends in U+FFFD waits for the next token.
"""

from __future__ import annotations

from typing import Any

HALF = "\ufffd"

# Decoders drop the space before a text's first word: the prompt's last tokens, decoded along with
# the answer, keep it.
CONTEXT = 4


class Unfolding:
    """The pieces of text that token after token adds; special tokens add none."""

    def __init__(self, tokenizer: Any, prompt_ids: list[int]):
        self._tokenizer = tokenizer
        self._ids = prompt_ids[-CONTEXT:]
        self._shown = len(self._text())

    def add(self, token: int) -> str:
        """What can be shown now that token has come: often a word, sometimes nothing yet."""
        self._ids.append(token)
        return self._take(self._text().rstrip(HALF))

    def rest(self) -> str:
        """What was still waiting when the row ended."""
        return self._take(self._text())

    def _text(self) -> str:
        return self._tokenizer.decode(
            self._ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )

    def _take(self, text: str) -> str:
        new = text[self._shown :]
        self._shown = max(self._shown, len(text))
        return new
