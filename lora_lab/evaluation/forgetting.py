"""What an adapter forgot: the loss on the base's own kind of text.

The text is plain English stories written for this, which no model trained on. What training on a
task adds to this loss is the forgetting score. It is told in nats a token of the model's own
tokenizer, so scores of one base compare with each other and not with another base's.
"""

from __future__ import annotations

from typing import Any

from lora_lab.config import assets
from lora_lab.data import tokenising
from lora_lab.data.dataset import Dataset
from lora_lab.evaluation.heldout import heldout_loss
from lora_lab.evaluation.prompting import context
from lora_lab.models import prefixed

MOST_TOKENS = 256  # a story; the longest of them is cut there


def stories() -> Dataset:
    """The English held-out stories: assets/heldout-english.txt, one a block of lines."""
    blocks = (assets() / "heldout-english.txt").read_text("utf-8").strip().split("\n\n")
    examples = [{"text": story, "row": row} for row, story in enumerate(blocks, 1)]
    return Dataset("heldout-english.txt", "text", {"text": "text"}, examples)


def base_text_loss(model: Any, tokenizer: Any) -> float:
    """Nats a token on the English stories, with whatever is attached to model now."""
    prefix = prefixed.whole(model)
    most = readable(model, MOST_TOKENS, 0 if prefix is None else len(prefix))
    return heldout_loss(model, tokenising.encode(stories(), tokenizer, most))


def readable(model: Any, most: int, before: int) -> int:
    """most tokens, or as many as the model reads behind a prefix of `before` positions."""
    limit = context(model)
    return most if limit is None else min(most, limit - before)
