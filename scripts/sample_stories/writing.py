"""Writes the sets and the list of them (samples.json) into a folder."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from .sets import SETS


def write_all(folder: Path) -> list[Path]:
    """Every set's file and samples.json, written anew; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for sample in SETS:
        path = folder / sample.file
        write = write_csv if path.suffix == ".csv" else write_jsonl
        write(path, sample.rows())
        paths.append(path)
    listing = folder / "samples.json"
    entries = [sample.entry() for sample in SETS]
    listing.write_text(json.dumps(entries, ensure_ascii=False, indent=2) + "\n", "utf-8")
    return [*paths, listing]


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
