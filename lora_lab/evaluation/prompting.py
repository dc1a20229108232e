"""A prompt as the model reads it: its chat template where it has one, and room left to answer."""

from __future__ import annotations

from typing import Any

from lora_lab.errors import LabError


def prompt_ids(tokenizer: Any, prompt: str, system: str = "") -> list[int]:
    """The tokens after which the answer begins.

    A model with a chat template reads the prompt as the person's turn (system, where given, comes
    first); any other continues the prompt as it stands. Raises LabError where nothing is left to
    read, or where the template has no place for a system message.
    """
    if tokenizer.chat_template:
        text = _templated(tokenizer, prompt, system)
        ids = tokenizer.encode(text, add_special_tokens=False)
    else:
        ids = tokenizer.encode(f"{system}\n\n{prompt}" if system else prompt)
        if not ids and tokenizer.bos_token_id is not None:
            ids = [tokenizer.bos_token_id]
    if not ids:
        raise LabError("prompt_empty")
    return ids


def _templated(tokenizer: Any, prompt: str, system: str) -> str:
    from jinja2 import TemplateError

    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": prompt})
    try:
        return tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    except TemplateError as error:
        raise LabError("template_refuses", reason=str(error)) from error


def context(model: Any) -> int | None:
    """How many tokens the model reads at most; None where it has no such limit."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None)


def room(model: Any, ids: list[int]) -> int | None:
    """How many tokens fit after ids; None where there is no limit. LabError where none fits."""
    limit = context(model)
    if limit is not None and len(ids) >= limit:
        raise LabError("prompt_too_long", tokens=len(ids), context=limit)
    return None if limit is None else limit - len(ids)


def end_tokens(model: Any, tokenizer: Any) -> set[int]:
    """Every token that ends an answer: the generation config may name several."""
    told = getattr(model.generation_config, "eos_token_id", None)
    ends = set(told) if isinstance(told, list) else {told}
    return (ends | {tokenizer.eos_token_id}) - {None}
