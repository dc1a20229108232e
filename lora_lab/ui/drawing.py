"""W0 + (alpha / r) B A drawn to scale: what rank buys and costs, seen before any number is read.

One unit of length is one row or column of the matrix, the same in all three (LoRA, section 4.1).
"""

from __future__ import annotations

from typing import Any

from lora_lab.config import Settings
from lora_lab.ui.markup import note, safe
from lora_lab.words import number, say

WIDTH, TALLEST, GAP = 380.0, 126.0, 48.0  # user units of the SVG
THINNEST = 1.5  # a rank-1 strip of a wide matrix would vanish


def pictured(settings: Settings, count: dict[str, Any], language: str) -> str:
    """What the settings' method adds, drawn where it is a matrix and said in words where it is not.
    count: as lab.count tells it."""
    words = {
        "rows": 0,
        "tokens": settings.prefix_tokens,
        "layers": count["layers"],
        "total": count["total"],
    }
    first, rank = count["matrix"], settings.rank
    if first is None:
        return note(f"drawing.{settings.method}", language, **words)
    rows, columns = first["out_features"], first["in_features"]
    caption = say("drawing.caption", language, name=first["path"], matrices=count["matrices"])
    if settings.method != "lora":
        caption += ". " + say(f"drawing.{settings.method}", language, **words | {"rows": rows})
    factor = settings.alpha / (rank if settings.scaling == "plain" else rank**0.5)
    zero = settings.init in ("gaussian", "zeros")
    return drawing(rows, columns, rank, factor, language, caption, zero=zero)


def drawing(
    rows: int,
    columns: int,
    rank: int,
    factor: float,
    language: str,
    name: str = "",
    *,
    zero: bool = True,
) -> str:
    """The SVG for one matrix W0 of rows x columns (out x in) and an adapter of that rank.

    factor: what B A is multiplied by; zero: whether B starts at zero."""
    scale = min(TALLEST / rows, (WIDTH - 2 * GAP) / (2 * columns + rank), TALLEST / columns * 1.15)
    width, height = columns * scale, rows * scale
    strip = max(THINNEST, rank * scale)
    b_at = 8 + width + GAP
    a_at = b_at + strip + GAP * 0.45
    label = say("drawing.label", language, rows=rows, columns=columns, rank=rank, factor=factor)
    bottom, start = 14 + height, say("drawing.zero", language) if zero else ""
    parts = [
        f'<svg viewBox="0 0 {max(WIDTH, a_at + width + 8):.0f} {max(height, strip) + 52:.0f}"'
        f' role="img" aria-label="{safe(label)}">',
        _box("w0", 8, 14, width, height),
        _text(8 + width / 2, 14 + height / 2 + 4, "W₀", "big"),
        _text(8 + width / 2, bottom + 16, _size(rows, columns, language)),
        _text(8 + width / 2, bottom + 30, say("drawing.frozen", language), "faint"),
        _text(8 + width + GAP / 2, 14 + height / 2 + 4, f"+ {number(factor, language)} ·"),
        _box("b", b_at, 14, strip, height),
        _text(b_at + strip / 2, bottom + 16, f"B {_size(rows, rank, language)}"),
        _text(b_at + strip / 2, bottom + 30, start, "faint"),
        _box("a", a_at, 14, width, strip),
        _text(a_at + width / 2, 14 + strip + 16, f"A {_size(rank, columns, language)}"),
        "</svg>",
    ]
    caption = f'<figcaption class="note">{safe(name)}</figcaption>' if name else ""
    return f'<figure class="drawing">{"".join(parts)}{caption}</figure>'


def _size(rows: int, columns: int, language: str) -> str:
    return f"{number(rows, language)} × {number(columns, language)}"


def _box(kind: str, x: float, y: float, width: float, height: float) -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        ' rx="2"/>'
    )


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{safe(text)}</text>'
