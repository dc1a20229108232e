"""Every matrix of a model by its shape, without a weight: what counting and forecasting need.

The catalogue's models stand in shapes.json beside this file (scripts/measure_shapes makes it from
the configs in published.json); any other model is measured once and kept under home()/shapes.
Reading a table takes no torch; measuring does.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lora_lab.config import home
from lora_lab.errors import LabError
from lora_lab.models import architecture, hub, landing, sources
from lora_lab.models.catalogue import find

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

    def paths(self) -> dict[str, Matrix]:
        """Every matrix by its full module path."""
        return dict(self._each())

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

    Raises shapes_unknown for one that was not: study() it first.
    """
    ref = ref.strip()
    model = find(ref)
    name = model.name if model else ref
    if name in _table():
        return _table()[name]
    try:
        return Shapes.from_json(json.loads(_kept(ref).read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError("shapes_unknown", model=ref[:200]) from error


def study(ref: str, progress: landing.Report = lambda _: None) -> Shapes:
    """Shapes of any model: of one on the Hub by its config alone, no weights fetched.

    Takes the seconds that torch and transformers take to import; what it finds is kept.
    """
    try:
        return shapes(ref)
    except LabError:
        pass
    if sources.HUB_ID.fullmatch(ref.strip()) and not Path(ref).is_dir():
        repository = hub.listing(ref.strip())
        with tempfile.TemporaryDirectory() as folder:
            found = measure(hub.config(repository, Path(folder)).parent)
    else:
        found = measure(sources.fetch(ref, progress).folder)
    kept = _kept(ref.strip())
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found.as_json()), "utf-8")
    return found


def measure(folder: Path) -> Shapes:
    """The shapes of the model that `folder`/config.json describes, built without memory.

    Raises the LabErrors of architecture.check, or config_corrupt when it cannot be built.
    """
    architecture.check(folder / "config.json", folder.name)
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    except Exception as error:  # each architecture meets a senseless config in its own way
        raise LabError("config_corrupt", file="config.json") from error
    return _shapes_of(model, config.get_text_config())


def _shapes_of(model: Any, config: Any) -> Shapes:
    width, heads = config.hidden_size, config.num_attention_heads
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    return Shapes(
        architecture=type(model).__name__,
        total=sum(p.numel() for p in model.parameters()),
        hidden=width,
        layers=config.num_hidden_layers,
        heads=heads,
        kv_heads=getattr(config, "num_key_value_heads", None) or heads,
        ff=_first(config, ("intermediate_size", "ffn_dim", "n_inner")) or 4 * width,
        vocab=config.vocab_size,
        context=getattr(config, "max_position_embeddings", None) or 0,
        tied=head is not None and head.weight is embedding.weight,
        matrices=_gathered(_matrices(model)),
    )


def _matrices(model: Any) -> Iterator[Matrix]:
    from torch import nn

    for path, module in model.named_modules():
        if isinstance(module, nn.Linear):
            yield Matrix(path, 1, module.in_features, module.out_features, "linear")
        elif isinstance(module, nn.Embedding):
            yield Matrix(path, 1, module.num_embeddings, module.embedding_dim, "embedding")
        elif type(module).__name__ == "Conv1D":
            yield Matrix(path, 1, *module.weight.shape, "conv1d")


def _gathered(each: Iterator[Matrix]) -> list[Matrix]:
    """The same matrix of layers 0 … n - 1 as one entry; a layer unlike the others stays apart."""
    groups: dict[Matrix, list[Matrix]] = {}
    for matrix in each:
        pattern = re.sub(r"\.\d+\.", ".{}.", matrix.path, count=1)
        key = Matrix(pattern, 1, matrix.in_features, matrix.out_features, matrix.kind)
        groups.setdefault(key, []).append(matrix)
    found: list[Matrix] = []
    for key, members in groups.items():
        paths = [key.path.replace("{}", str(layer)) for layer in range(len(members))]
        if "{}" in key.path and paths == [m.path for m in members]:
            found.append(Matrix(key.path, len(members), *list(asdict(key).values())[2:]))
        else:
            found += members
    return found


def _first(config: Any, names: tuple[str, ...]) -> int | None:
    return next((getattr(config, n) for n in names if getattr(config, n, None)), None)


def _kept(ref: str) -> Path:
    """Where a measured model's shapes are kept: by its id, or by what its config.json says."""
    config = Path(ref).expanduser() / "config.json"
    told = config.read_bytes() if config.is_file() else ref.encode()
    return home() / "shapes" / f"{hashlib.sha256(told).hexdigest()[:24]}.json"


@cache
def _table() -> dict[str, Shapes]:
    told = json.loads(TABLE.read_text("utf-8"))
    return {name: Shapes.from_json(entry) for name, entry in told.items()}
