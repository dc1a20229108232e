"""Parts of a file as a message quotes them: short, on one line, and always printable."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

LONGEST = 60  # characters of one value
MOST = 20  # names in one list


def shown(value: Any) -> str:
    """The value as JSON, or itself if it is text; cut to LONGEST."""
    try:
        text = (
            value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        )
    except (RecursionError, ValueError):  # nested too deep, or a number too long, to be written
        return "…"
    text = text[: 10 * LONGEST].encode(errors="replace").decode()
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def listed(names: Iterable[str]) -> str:
    """The names with commas between them, the first MOST of them."""
    quoted = [shown(name) for name in names]
    return ", ".join(quoted[:MOST]) + (" …" if len(quoted) > MOST else "")
