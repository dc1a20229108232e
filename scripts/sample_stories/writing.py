"""Writes the sets, the list of them (samples.json) and their README into a folder."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from .readme import write_readme
from .sets import SETS


def write_all(folder: Path) -> list[Path]:
    """Every set's file, samples.json and README.md, written anew; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for sample in SETS:
        path, rows = folder / sample.file, sample.rows()
        write = write_csv if path.suffix == ".csv" else write_jsonl
        write(path, rows)
        written.append((sample, path, rows))
    listing, readme = folder / "samples.json", folder / "README.md"
    entries = [sample.entry() for sample in SETS]
    listing.write_text(json.dumps(entries, ensure_ascii=False, indent=2) + "\n", "utf-8")
    write_readme(readme, written)
    return [*(path for _, path, _ in written), listing, readme]


def write_csv(path: Path, rows: list[dict]) -> None:
    """Rows under a header line, as RFC 4180 has it but with bare line feeds."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path: Path, rows: list[dict]) -> None:
    """One JSON object a line."""
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), "utf-8")
