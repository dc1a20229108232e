"""What a program's exceptions mean to the person whose run it was."""

from __future__ import annotations

import errno
import re

from lora_lab.errors import LabError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_MEMORY = (
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "out of memory",
    "bad_alloc",
)


def as_lab_error(fault: BaseException, log: str) -> LabError:
    """The LabError to show for fault; log is the name of the file that holds its traceback."""
    if isinstance(fault, LabError):
        return fault
    if _system_error(fault) in _NO_ROOM:
        return LabError("disk_full")
    text = str(fault).lower()
    if isinstance(fault, MemoryError) or any(words in text for words in _NO_MEMORY):
        return LabError("out_of_memory")
    return LabError("unexpected", kind=type(fault).__name__, log=log)


def _system_error(fault: BaseException) -> int | None:
    """The system's own number for what went wrong; safetensors tells it in words alone."""
    told = re.search(r"\(os error (\d+)\)", str(fault))
    return int(told[1]) if told else getattr(fault, "errno", None)
