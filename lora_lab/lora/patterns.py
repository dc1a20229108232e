"""Regular expressions that strangers write: in a target field, in another tool's adapter file.

Python's `re` can be made to run for years by a pattern such as `(a+)+$`. The patterns that name
modules need little, so only that little is accepted: letters, dots, alternatives, groups, and at
most two `*` or `+`, each right after a single character class. Then matching a path of n letters
takes n² steps at worst.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from lora_lab.errors import LabError

LONGEST = 300
_PIECE = re.compile(r"(\\[dw.]|\[[\w-]+\]|\.)([*+])?|[\w|()^$-]|\(\?:")


def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern ready to match. Raises LabError("pattern_refused") on any but the harmless."""
    quantifiers = place = 0
    while place < len(pattern) <= LONGEST:
        piece = _PIECE.match(pattern, place)
        if piece is None:
            break
        quantifiers += piece[2] is not None
        place = piece.end()
    if place < len(pattern) or quantifiers > 2:
        raise LabError("pattern_refused", pattern=pattern[:LONGEST])
    try:
        return re.compile(pattern)
    except re.error:
        raise LabError("pattern_refused", pattern=pattern) from None


def ending(pattern: str) -> Callable[[str], object]:
    """Whether a path is what the pattern says, whole or from some dot on: peft's own reading."""
    if re.fullmatch(r"[\w.]+", pattern):
        return lambda path: path == pattern or path.endswith("." + pattern)
    return re.compile(rf"(?:.*\.)?(?:{compiled(pattern).pattern})").fullmatch
