"""How long 100,000 rows take from file to examples, for each format; the lab promises 3 seconds.

    python -m benchmarks.reading [--rows 100000] [--repeats 3]

Prints one JSON object: format -> the least of the repeats' seconds, and their median.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lora_lab.config import Settings
from lora_lab.data import reading, shaping


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=100_000)
    arguments.add_argument("--repeats", type=int, default=3)
    chosen = arguments.parse_args()
    told = {}
    with tempfile.TemporaryDirectory() as folder:
        for path in _files(Path(folder), chosen.rows):
            seconds = [_seconds(path, chosen.rows) for _ in range(chosen.repeats)]
            told[path.name] = {
                "least": round(min(seconds), 2),
                "median": round(statistics.median(seconds), 2),
                "megabytes": round(path.stat().st_size / 1e6, 1),
            }
    print(json.dumps({"rows": chosen.rows, "seconds": told}))


def _seconds(path: Path, rows: int) -> float:
    start = time.perf_counter()
    dataset = shaping.shape(reading.read(path), Settings())
    passed = time.perf_counter() - start
    assert len(dataset.examples) == rows
    return passed


def _files(folder: Path, count: int) -> Iterator[Path]:
    """The same rows in each format: prompts and responses, and chats where a format holds lists."""
    rows = [
        {"prompt": f"Pregunta {n}: ¿que é iso?", "response": "Unha resposta de verdade. " * 6}
        for n in range(count)
    ]
    chats = [
        {
            "messages": [
                {"role": "user", "content": row["prompt"]},
                {"role": "assistant", "content": row["response"]},
            ]
        }
        for row in rows
    ]
    for sign, end in ((",", "csv"), ("\t", "tsv")):
        lines = [sign.join(rows[0]), *(sign.join(row.values()) for row in rows)]
        yield _written(folder / f"prompts.{end}", "\n".join(lines))
    for name, content in (("prompts", rows), ("chats", chats)):
        yield _written(folder / f"{name}.json", json.dumps(content))
        yield _written(folder / f"{name}.jsonl", "\n".join(map(json.dumps, content)))
        parquet = folder / f"{name}.parquet"
        pq.write_table(pa.Table.from_pylist(content), parquet)
        yield parquet


def _written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


if __name__ == "__main__":
    main()
