"""What a model can learn from: examples of one shape, each with the row it came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lora_lab.errors import LabError

# {"text"} | {"prompt", "response"} | {"messages": [{"role", "content"}, …]}, each with "row"
Example = dict[str, Any]


@dataclass(frozen=True)
class Dataset:
    """Checked examples of one shape.

    shape: "stream" (one example, a continuous text), "text", "prompt" or "chat". columns: role ->
    the column that played it. Text has line ends as \\n; otherwise it is as the person wrote it.
    """

    name: str
    shape: str
    columns: dict[str, str]
    examples: list[Example]

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of the shape and the examples, their rows' numbers aside."""
        digest = hashlib.sha256(self.shape.encode())
        for example in self.examples:
            content = {key: value for key, value in example.items() if key != "row"}
            digest.update(_line(content).encode())
        return digest.hexdigest()

    @property
    def facts(self) -> dict[str, Any]:
        """What is told of it: "name", "shape", "columns", "rows" (how many), "fingerprint"."""
        facts = {"name": self.name, "shape": self.shape, "columns": self.columns}
        return {**facts, "rows": len(self.examples), "fingerprint": self.fingerprint}

    def of(self, examples: Iterable[Example]) -> Dataset:
        """The same dataset with these examples."""
        return Dataset(self.name, self.shape, self.columns, list(examples))

    def save(self, folder: Path) -> None:
        """Write folder/examples.jsonl and folder/dataset.json."""
        folder.mkdir(parents=True, exist_ok=True)
        lines = "".join(map(_line, self.examples))
        (folder / "examples.jsonl").write_text(lines, "utf-8", newline="\n")
        (folder / "dataset.json").write_text(json.dumps(self.facts, indent=2), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Dataset:
        """What save wrote; a LabError where it is not whole or was changed."""
        try:
            facts = json.loads((folder / "dataset.json").read_text("utf-8"))
            lines = (folder / "examples.jsonl").read_text("utf-8").split("\n")
            examples = [json.loads(line) for line in lines if line]
            found = cls(facts["name"], facts["shape"], facts["columns"], examples)
            whole = found.fingerprint == facts["fingerprint"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            whole = False
        if not whole:
            raise LabError("dataset_damaged", file=str(folder))
        return found


def _line(content: dict) -> str:
    return json.dumps(content, ensure_ascii=False, sort_keys=True) + "\n"


def newlines(text: str) -> str:
    """text with line ends as \\n, whatever system wrote it."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
