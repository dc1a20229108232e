"""A chat: an optional system message, then user and assistant by turns, the assistant last."""

from __future__ import annotations

from typing import Any

from lora_lab.data import json_rows
from lora_lab.data.dataset import newlines
from lora_lab.data.quoting import shown
from lora_lab.errors import LabError

ROLES = ("system", "user", "assistant")


def check(told: Any, name: str, row: int, column: str) -> list[dict[str, str]]:
    """The messages as [{"role", "content"}, …], or a LabError that names the turn.

    told: a list, or (in CSV and TSV) the JSON of one.
    """
    where: dict[str, Any] = {"file": name, "row": row, "column": column}
    if isinstance(told, str):
        told = _from_json(told, name, row, column)
    if not isinstance(told, list):
        raise LabError("chat_not_a_list", **where, value=shown(told))
    if not told:
        raise LabError("chat_empty", **where)
    messages = [_message(message, turn, where) for turn, message in enumerate(told, 1)]
    _check_order([message["role"] for message in messages], where)
    return messages


def _from_json(told: str, name: str, row: int, column: str) -> Any:
    if not told.strip():
        raise LabError("empty_field", file=name, row=row, column=column)
    text = told.strip()
    found, end = json_rows.value(text, 0, name, row, column)
    if end != len(text):
        raise LabError("json_invalid", file=name, row=row, column=column, line=1, character=end + 1)
    return found


def _message(message: Any, turn: int, where: dict) -> dict[str, str]:
    if not isinstance(message, dict) or "role" not in message or "content" not in message:
        raise LabError("chat_message_keys", **where, turn=turn, value=shown(message))
    role, content = message["role"], message["content"]
    for key in message:
        if key not in ("role", "content") and message[key] is not None:
            raise LabError("chat_extra_key", **where, turn=turn, name=shown(key))
    if role not in ROLES:
        raise LabError("chat_role", **where, turn=turn, role=shown(role))
    if not isinstance(content, str):
        raise LabError("chat_content_type", **where, turn=turn, value=shown(content))
    if not content.strip():
        raise LabError("chat_content_empty", **where, turn=turn)
    return {"role": role, "content": newlines(content)}


def _check_order(roles: list[str], where: dict) -> None:
    if "assistant" not in roles:
        raise LabError("chat_no_assistant", **where)
    first = 1 if roles[0] == "system" else 0
    for turn, role in enumerate(roles[first:], first):
        if role != ("user", "assistant")[(turn - first) % 2]:
            raise LabError("chat_wrong_order", **where, turn=turn + 1, role=role)
    if roles[-1] != "assistant":
        raise LabError("chat_unanswered", **where, turn=len(roles))
