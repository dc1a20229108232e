"""A prompt or a chat as the one text a model is trained on, and which of it is the model's part.

With a chat template the text is what the template makes of the messages. Where an answer starts
is found by rendering once more with a mark in the answer's place, so that nothing is assumed about
the template and an answer that also occurs in the prompt is not mistaken for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from lora_lab.data.dataset import Example
from lora_lab.data.quoting import shown
from lora_lab.errors import LabError

SEPARATOR = "\n"  # between a prompt and its response where a model has no chat template
MARK = "\ue000answer\ue001"  # private-use characters: no template looks for them


@dataclass(frozen=True)
class Rendered:
    """text, and the spans [start, end) in characters that are trained on, in order."""

    text: str
    spans: list[tuple[int, int]]


def plain(example: Example) -> Rendered:
    """prompt, SEPARATOR, response: for a model without a chat template."""
    start = example["prompt"] + SEPARATOR
    text = start + example["response"]
    return Rendered(text, [(len(start), len(text))])


class Template:
    """A tokenizer's chat template."""

    def __init__(self, tokenizer: Any, name: str):
        self.tokenizer, self.name = tokenizer, name
        added = getattr(tokenizer, "added_tokens_decoder", {}).values()
        special = {token.content for token in added if token.special}
        special |= set(tokenizer.all_special_tokens)
        longest_first = sorted(special, key=len, reverse=True)
        self.end_of_turn = re.compile(r"\s*(?:" + "|".join(map(re.escape, longest_first)) + ")")
        self.takes_system = self._takes_system()

    def render(self, example: Example) -> Rendered:
        """The example's text; each assistant turn is trained on, with its end token."""
        messages = example.get("messages") or [
            {"role": "user", "content": example["prompt"]},
            {"role": "assistant", "content": example["response"]},
        ]
        row = example["row"]
        if messages[0]["role"] == "system" and not self.takes_system:
            raise LabError("template_no_system", file=self.name, row=row)
        try:
            text = self._apply(messages)
            turns = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
            spans = [self._span(text, messages, turn) for turn in turns]
        except Exception as fault:  # a template is a program of the model's author
            reason = shown(str(fault))
            raise LabError("template_refused", file=self.name, row=row, reason=reason) from None
        if None in spans:
            raise LabError("template_hides_answer", file=self.name, row=row)
        return Rendered(text, [span for span in spans if span])

    def _span(self, text: str, messages: list[dict], turn: int) -> tuple[int, int] | None:
        answer = messages[turn]["content"].strip()
        marked = {"role": "assistant", "content": MARK}
        start = self._apply([*messages[:turn], marked, *messages[turn + 1 :]]).find(MARK)
        if start < 0:
            return None
        here = text[start:].lstrip()
        if not here.startswith(answer):
            return None
        end = len(text) - len(here) + len(answer)
        end_of_turn = self.end_of_turn.match(text, end)
        return start, end_of_turn.end() if end_of_turn else end

    def _takes_system(self) -> bool:
        chat = [
            {"role": "system", "content": MARK},
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
        ]
        try:
            return MARK in self._apply(chat)
        except Exception:  # as above
            return False

    def _apply(self, messages: list[dict]) -> str:
        return self.tokenizer.apply_chat_template(messages, tokenize=False)
