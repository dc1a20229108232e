"""The README beside the sets, its figures counted from their rows."""

from __future__ import annotations

from pathlib import Path

from .overlap import heldout_overlap
from .sets import SampleSet

COLUMNS = (
    "file",
    "for",
    "distance",
    "rows",
    "bytes",
    "words a row",
    "8-word runs seen",
    "most in a row",
    "sentences seen",
)
TEXT = """# Sample datasets

Written for this project, every word ours: the pirate's tales one by one, the others by grammars,
all in `scripts/sample_stories`. Licence:
[CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/). Made anew, byte for byte, by

    python scripts/make_datasets

which also counts the figures below. What each set is for stands in
`lora_lab/words/datasets.toml`, its first prompt in `samples.json`.

{table}

Overlap: every tenth row is held out; *8-word runs seen* is the mean share of a held-out row's runs
of eight words that stand anywhere in the other rows, *most in a row* the greatest such share, and
*sentences seen* the share of held-out sentences that stand in the other rows word for word (the
short ones: "Quelle joie pour Zoé !"). No row stands twice.
"""


def write_readme(path: Path, sets: list[tuple[SampleSet, Path, list[dict]]]) -> None:
    """README.md for the sets, each with its file and rows."""
    lines = [_line(sample, file, [row_text(row) for row in rows]) for sample, file, rows in sets]
    table = "\n".join([f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|", *lines])
    path.write_text(TEXT.format(table=table), "utf-8")


def row_text(row: dict) -> str:
    """All that a row says, in one string."""
    if "messages" in row:
        return " ".join(message["content"] for message in row["messages"])
    return " ".join(row.values())


def _line(sample: SampleSet, file: Path, texts: list[str]) -> str:
    overlap = heldout_overlap(texts)
    words = sum(len(text.split()) for text in texts) / len(texts)
    return (
        f"| {sample.file} | {sample.for_model} | {sample.distance} | {len(texts)} "
        f"| {file.stat().st_size:,} | {words:.0f} | {overlap.mean:.1%} | {overlap.most:.0%} "
        f"| {overlap.sentences:.0%} |"
    )
