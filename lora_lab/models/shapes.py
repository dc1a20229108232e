"""Every matrix of a model by its shape, without a weight: what counting and forecasting need.

The catalogue's models stand in shapes.json beside this file (scripts/measure_shapes makes it from
the configs in published.json); any other model is measured once (measuring.py) and kept under
home()/shapes. Nothing here takes torch.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lora_lab.config import home
from lora_lab.errors import LabError
from lora_lab.models.catalogue import find

SMALL_WIDTH = 256
KEYS = (".k_proj", ".key")  # what makes them where they are not made together with the queries

TABLE = Path(__file__).with_name("shapes.json")


@dataclass(frozen=True)
class Matrix:
    """One kind of matrix: `count` of them, `{}` in its path standing for the layer 0 … count - 1.

    in_features, out_features: the sizes of x and of W0 x (an embedding: tokens, width).
    kind: "linear", "conv1d" (GPT-2's, kept [in, out]) or "embedding".
    """

    path: str
    count: int
    in_features: int
    out_features: int
    kind: str


@dataclass(frozen=True)
class Shapes:
    """A model's shapes. total: parameters, a tied matrix once; ff: width inside the MLP.

    tied: the head is the embedding; then "lm_head" is among the matrices but adds nothing.
    """

    architecture: str
    total: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    ff: int
    vocab: int
    context: int
    tied: bool
    matrices: list[Matrix]

    @property
    def small(self) -> bool:
        """Whether its products are too small for bfloat16 to pay: on a CPU each new shape costs
        compiling and memory that is not given back, and a width of 128 gains a third in speed."""
        return self.hidden < SMALL_WIDTH

    @property
    def key_width(self) -> int:
        """Of one token's keys, all key heads together, and of its values."""
        told = (m.out_features for m in self.matrices if m.path.endswith(KEYS))
        return next(told, self.hidden * self.kv_heads // self.heads)

    def paths(self) -> dict[str, Matrix]:
        """Every matrix by its full module path."""
        return dict(self._each())

    def sizes(self) -> dict[str, tuple[int, int]]:
        """(in, out) of every matrix by its full module path."""
        return {path: (m.in_features, m.out_features) for path, m in self._each()}

    def _each(self) -> Iterator[tuple[str, Matrix]]:
        for matrix in self.matrices:
            for layer in range(matrix.count):
                yield matrix.path.replace("{}", str(layer)), matrix

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Shapes:
        return cls(**told | {"matrices": [Matrix(*row) for row in told["matrices"]]})

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"matrices": [list(asdict(m).values()) for m in self.matrices]}


def shapes(ref: str) -> Shapes:
    """The shapes of a model that was measured before: the whole catalogue was.

    Raises shapes_unknown for one that was not: measuring.describe(ref) first.
    """
    ref = ref.strip()
    model = find(ref)
    name = model.name if model else ref
    if name in _table():
        return _table()[name]
    try:
        return Shapes.from_json(json.loads(_kept(ref).read_text("utf-8")))
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise LabError("shapes_unknown", model=ref[:200]) from error


def keep(ref: str, found: Shapes) -> None:
    """Remembers what was measured of a model outside the catalogue."""
    file = _kept(ref.strip())
    file.parent.mkdir(parents=True, exist_ok=True)
    written = file.with_suffix(f".{os.getpid()}")
    written.write_text(json.dumps(found.as_json()), "utf-8")
    written.replace(file)


def _kept(ref: str) -> Path:
    """Where a measured model's shapes are kept: by its id, or by what its config.json says."""
    config = Path(ref).expanduser() / "config.json"
    told = config.read_bytes() if config.is_file() else ref.encode()
    return home() / "shapes" / f"{hashlib.sha256(told).hexdigest()[:24]}.json"


@cache
def _table() -> dict[str, Shapes]:
    told = json.loads(TABLE.read_text("utf-8"))
    return {name: Shapes.from_json(entry) for name, entry in told.items()}
