"""A prompt as the model reads it: its chat template where it has one, and room left to answer."""

from __future__ import annotations

from typing import Any

from lora_lab.data.quoting import shown
from lora_lab.data.rendering import SEPARATOR
from lora_lab.errors import LabError


def prompt_ids(
    tokenizer: Any, prompt: str, system: str = "", asks: bool | None = None
) -> list[int]:
    """The tokens after which the answer begins, as data/tokenising.py writes them in training.

    asks: whether the prompt asks for an answer (the person's turn of a chat template, or the
    prompt and a separator where there is none) or is an opening to go on from; None: it asks where
    the model has a chat template. system comes first, where given. Raises LabError where there is
    nothing to read, or where the template refuses.
    """
    if tokenizer.chat_template and asks is not False:
        if not prompt.strip():
            raise LabError("prompt_empty")
        text = _templated(tokenizer, prompt, system)
        return tokenizer.encode(text, add_special_tokens=False)
    text = prompt + (SEPARATOR if asks else "")
    ids = tokenizer.encode(f"{system}\n\n{text}" if system else text)
    if not ids and tokenizer.bos_token_id is None:
        raise LabError("prompt_empty")
    return ids or [tokenizer.bos_token_id]


def _templated(tokenizer: Any, prompt: str, system: str) -> str:
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": prompt})
    try:
        return tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    except Exception as fault:  # a template is a program of the model's author
        raise LabError("template_refuses", reason=shown(str(fault))) from fault


def context(model: Any) -> int | None:
    """How many tokens the model reads at most; None where it has no such limit."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None)


def room(model: Any, ids: list[int], before: int = 0) -> int | None:
    """How many tokens fit after ids; None where there is no limit. LabError where none fits.

    before: positions that a prefix takes.
    """
    limit = context(model)
    taken = before + len(ids)
    if limit is not None and taken >= limit:
        raise LabError("prompt_too_long", tokens=taken, context=limit)
    return None if limit is None else limit - taken


def end_tokens(model: Any, tokenizer: Any) -> set[int]:
    """Every token that ends an answer: the generation config may name several."""
    told = getattr(model.generation_config, "eos_token_id", None)
    ends = [*(told if isinstance(told, list) else [told]), tokenizer.eos_token_id]
    return {token for token in ends if token is not None}
