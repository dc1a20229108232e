"""A picture as a matrix: one number a pixel, from 0 (black) to 255 (white).

A picture from anyone is read with suspicion: its kind by its first bytes and never by its name,
its size before any pixel is unpacked.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from lora_lab.errors import LabError

KINDS = ("PNG", "JPEG", "GIF", "BMP")
# RIFF is WebP's, whose reader unpacks before its size is known: told as a picture, and refused.
STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8", b"BM")
LARGEST_FILE = 20_000_000  # bytes
MOST_PIXELS = 40_000_000  # unpacked, in greys, as many bytes
SIDE = 256  # a larger picture is made smaller: decomposed while a slider is dragged


def is_picture(content: bytes) -> bool:
    return content.startswith(STARTS)


def read(content: bytes, name: str) -> np.ndarray:
    """The picture in greys [rows, columns], float32, its longer side SIDE at most.

    Raises LabError for one that is too large, broken, or of another kind than KINDS.
    """
    if len(content) > LARGEST_FILE:
        raise LabError("picture_too_heavy", file=name, most=LARGEST_FILE // 1_000_000)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what is refused below
            Image.open(io.BytesIO(content), formats=KINDS).verify()
            return _greys(Image.open(io.BytesIO(content), formats=KINDS), name)
    except LabError:
        raise
    except Exception as error:  # a decoder meets a broken file in as many ways as there are
        raise LabError("picture_broken", file=name, kinds=", ".join(KINDS)) from error


def png(matrix: np.ndarray) -> bytes:
    """matrix [rows, columns] as a picture, cut off below 0 and above 255."""
    written = io.BytesIO()
    Image.fromarray(np.clip(np.round(matrix), 0, 255).astype(np.uint8)).save(written, "PNG")
    return written.getvalue()


def bytes_of(path: Path, name: str) -> bytes:
    """The whole file, unless it is larger than any picture or table may be."""
    try:
        if not path.is_file():
            raise LabError("file_unreadable", file=name)
        if path.stat().st_size > LARGEST_FILE:
            raise LabError("picture_too_heavy", file=name, most=LARGEST_FILE // 1_000_000)
        return path.read_bytes()
    except (OSError, ValueError):
        raise LabError("file_unreadable", file=name) from None


def _greys(picture: Image.Image, name: str) -> np.ndarray:
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise LabError("picture_too_large", file=name, width=width, height=height)
    picture.draft("L", (SIDE, SIDE))  # a JPEG is unpacked small at once
    upright = ImageOps.exif_transpose(picture)
    if upright.mode in ("RGBA", "LA", "PA", "P"):
        upright = upright.convert("RGBA")
        paper = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(paper, upright)
    grey = upright.convert("L")
    grey.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(grey, dtype=np.float32)
