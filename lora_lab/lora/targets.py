"""Which matrices get an adapter: a person's words in, full module paths out.

    attention-qv   the matrices that make queries and values (the paper's choice, section 4.2 and
                   table 5); a model that makes q, k and v in one matrix has that one adapted
    attention      every matrix of the attention blocks
    mlp            every matrix of the MLPs
    linear         every matrix but the embeddings and the head
    embeddings     the matrix that makes a vector of each token
    all            every matrix: linear, embeddings and the head
    q_proj,up_proj names, or ends of paths such as mlp.c_proj
    re:.*[13]\\.mlp\\..*   a pattern that the whole path must match

Where the names live, family by family (d is the hidden width, kv the keys' and values'):

    Llama, Qwen, Mistral, Gemma   self_attn.{q,k,v,o}_proj      mlp.{gate,up,down}_proj
    GPT-2                         attn.c_attn [d → 3d], c_proj  mlp.c_fc, c_proj   (Conv1D)
    GPT-NeoX, Pythia, Falcon      attention.query_key_value, dense   mlp.dense_h_to_4h, …
    OPT                           self_attn.{q,k,v}_proj, out_proj   fc1, fc2
    Phi                           self_attn.{q,k,v}_proj, dense      mlp.fc1, fc2
"""

from __future__ import annotations

from collections.abc import Iterable

from lora_lab.errors import LabError
from lora_lab.lora.patterns import compiled

QUERIES_AND_VALUES = {"q_proj", "v_proj", "query", "value", "q_lin", "v_lin"}
FAMILIES = ("attention-qv", "attention", "mlp", "linear", "embeddings", "all")
FUSED = {"c_attn", "query_key_value", "qkv_proj", "Wqkv", "W_pack", "qkv", "in_proj"}
EMBEDDINGS = {"embed_tokens", "embed_in", "wte", "word_embeddings", "embeddings"}
# What is looked up by place or by kind, not by token, gets no adapter.
POSITIONS = {"embed_positions", "wpe", "position_embeddings", "token_type_embeddings"}
HEADS = {"lm_head", "embed_out", "output_projection", "head"}


def last_name(path: str) -> str:
    """q_proj of model.layers.3.self_attn.q_proj."""
    return path.rpartition(".")[2]


def layer_of(path: str) -> int | None:
    """3 of model.layers.3.self_attn.q_proj; None for what stands in no layer."""
    return next((int(part) for part in path.split(".") if part.isdigit()), None)


def kinds(paths: Iterable[str], tied: bool) -> dict[str, list[str]]:
    """The model's matrices by the shortest name that means them all and nothing else: q_proj, or
    mlp.c_proj where attention has a c_proj too. tied: as in check_untied, and then left out."""
    left_out = POSITIONS | (EMBEDDINGS | HEADS if tied else set())
    parents: dict[str, dict[str, list[str]]] = {}
    for path in paths:
        if last_name(path) not in left_out:
            parent = last_name(path.rpartition(".")[0])
            parents.setdefault(last_name(path), {}).setdefault(parent, []).append(path)
    found: dict[str, list[str]] = {}
    for name, each in parents.items():
        for parent, same in each.items():
            found[name if len(each) == 1 else f"{parent}.{name}"] = same
    return found


def check_untied(chosen: Iterable[str], paths: Iterable[str]) -> None:
    """Raises LabError("embeddings_tied") where the embedding or the head is chosen; paths: of the
    matrices of a model in which these two are one."""
    both = [path for path in paths if last_name(path) in EMBEDDINGS | HEADS]
    for path in chosen:
        if path in both:
            other = next((other for other in both if other != path), "lm_head")
            raise LabError("embeddings_tied", path=path, other=other)


def resolve(targets: str, paths: Iterable[str]) -> list[str]:
    """The paths that `targets` means, in the order they came.

    paths: the full path of every matrix of the model. Raises LabError("no_target_matches") naming
    what matches nothing and what there is, LabError("pattern_refused") on an unusable pattern.
    """
    matrices = [path for path in paths if last_name(path) not in POSITIONS]
    chosen = list(filter(_chooser(targets, matrices), matrices))
    if not chosen:
        raise _no_match(targets, matrices)
    return chosen


def _chooser(targets: str, matrices: list[str]):
    if targets == "attention-qv":
        return lambda path: _in_attention(path) and last_name(path) in QUERIES_AND_VALUES | FUSED
    if targets == "attention":
        return _in_attention
    if targets in ("mlp", "linear", "embeddings", "all"):
        return _family(targets)
    if targets.startswith("re:"):
        return compiled(targets[3:]).fullmatch
    return _named([name.strip() for name in targets.split(",")], matrices)


def _family(targets: str):
    if targets == "all":
        return lambda path: True
    if targets == "embeddings":
        return lambda path: last_name(path) in EMBEDDINGS
    inside = lambda path: last_name(path) not in HEADS | EMBEDDINGS  # noqa: E731
    if targets == "linear":
        return inside
    return lambda path: inside(path) and layer_of(path) is not None and not _in_attention(path)


def _named(names: list[str], matrices: list[str]):
    ends = {name: "." + name for name in names}
    for name, end in ends.items():
        if not name or not any(("." + path).endswith(end) for path in matrices):
            raise _no_match(name, matrices)
    wanted = tuple(ends.values())
    return lambda path: ("." + path).endswith(wanted)


def _in_attention(path: str) -> bool:
    parent = last_name(path.rpartition(".")[0])
    return "attn" in parent or "attention" in parent


def _no_match(target: str, matrices: list[str]) -> LabError:
    known = ", ".join(sorted({last_name(path) for path in matrices}))
    return LabError("no_target_matches", target=target, known=known)
