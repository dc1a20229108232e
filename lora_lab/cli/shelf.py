"""The verbs `adapters` (list, import, export, mix, prove) and `merge`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from lora_lab import lab
from lora_lab.cli import naming
from lora_lab.cli.foreground import Answer, Tell, last
from lora_lab.cli.naming import OWNER
from lora_lab.config import MIXINGS, PRECISIONS
from lora_lab.errors import LabError
from lora_lab.models import sources
from lora_lab.shelf import entry, proof
from lora_lab.words import byte_size, number, say

Described = Callable[[str], str]


def flags(one: argparse.ArgumentParser, described: Described) -> None:
    deeds = one.add_subparsers(dest="deed", required=True, metavar="DEED")
    for name, deed in _DEEDS.items():
        text = described(f"adapters_{name}")
        each = deeds.add_parser(name, help=text, description=text)
        # Where the verb has had it already, this one must not take it back.
        each.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help=described("json")
        )
        each.add_argument("--lang", default=argparse.SUPPRESS, help=described("lang"))
        deed.flags(each, described)


def _none(one: argparse.ArgumentParser, described: Described) -> None:
    """No flags of its own."""


def _import(one: argparse.ArgumentParser, described: Described) -> None:
    one.add_argument("source", metavar="ZIP_OR_DIR_OR_HUB_ID", help=described("import_source"))
    one.add_argument("--name", default="", help=described("shelf_name"))
    _model(one, described)


def _export(one: argparse.ArgumentParser, described: Described) -> None:
    _one(one, described)
    one.add_argument("--out", type=Path, metavar="ZIP", help=described("export_out"))
    one.add_argument("--push", metavar="OWNER/NAME", help=described("push"))
    one.add_argument("--public", action="store_true", help=described("public"))


def _mix(one: argparse.ArgumentParser, described: Described) -> None:
    one.add_argument(
        "--adapter", action="append", required=True, metavar="NAME_OR_DIR=WEIGHT",
        help=described("mix_adapter"),
    )  # fmt: skip
    one.add_argument("--method", choices=MIXINGS, default="sum", help=described("mix_method"))
    one.add_argument("--compress-rank", type=int, default=0, help=described("compress_rank"))
    one.add_argument("--density", type=float, default=0.5, help=described("density"))
    one.add_argument("--seed", type=int, default=0, help=described("mix_seed"))
    one.add_argument("--out", type=Path, metavar="DIR", help=described("mix_out"))
    one.add_argument("--name", default="", help=described("shelf_name"))


def _prove(one: argparse.ArgumentParser, described: Described) -> None:
    _one(one, described)
    _model(one, described)


def merge_flags(one: argparse.ArgumentParser, described: Described) -> None:
    _one(one, described)
    one.add_argument("--out", type=Path, required=True, metavar="DIR", help=described("merge_out"))
    one.add_argument(
        "--precision", choices=PRECISIONS, default="float32", help=described("merge_precision")
    )
    _model(one, described)


def _one(one: argparse.ArgumentParser, described: Described) -> None:
    one.add_argument(
        "--adapter", required=True, metavar="NAME_OR_DIR", help=described("one_adapter")
    )


def _model(one: argparse.ArgumentParser, described: Described) -> None:
    one.add_argument("--model", default="", help=described("base_model"))


def adapters(told: argparse.Namespace, tell: Tell) -> Answer:
    return {"deed": told.deed, **_DEEDS[told.deed].do(told, tell)}


def merge(told: argparse.Namespace, tell: Tell) -> Answer:
    folder = naming.adapter(told.adapter)
    naming.check_out(told.out, holding="config.json")
    events = lab.merge_adapter(str(folder), str(told.out), told.model, told.precision)
    return {"adapter": told.adapter, **last(events, tell)}


def _listed(told: argparse.Namespace, tell: Tell) -> Answer:
    return {"adapters": lab.shelf()}


def _imported(told: argparse.Namespace, tell: Tell) -> Answer:
    path, source = Path(told.source), {"hub_id": told.source}
    if path.is_dir():
        source = {"folder": told.source}
    elif path.is_file() or not sources.HUB_ID.fullmatch(told.source):
        source = {"archive": told.source}
    if "archive" in source and not path.is_file():
        raise LabError("no_such_folder", folder=told.source)
    name = told.name or path.stem
    return last(lab.import_adapter(OWNER, **source, name=name, model=told.model), tell)


def _exported(told: argparse.Namespace, tell: Tell) -> Answer:
    folder, known = naming.adapter(told.adapter), _known(told.adapter)
    language = told.lang
    answer: Answer = {"adapter": told.adapter}
    if told.push:
        token = os.environ.get("HF_TOKEN", "")
        given = (told.push, token, language, not told.public)
        answer["address"] = lab.push_adapter(folder, *given, **known)
    if told.out or not told.push:
        out = told.out or Path(f"{known.get('name') or folder.name}.zip")
        try:
            lab.export_adapter(folder, out, language, **known)
        except OSError as error:
            reason = error.strerror
            raise LabError("out_not_writable", folder=str(out), reason=reason) from error
        answer |= {"file": str(out.absolute()), "bytes": out.stat().st_size}
    return answer


def _known(name: str) -> dict[str, Any]:
    """What the shelf knows of an adapter that is on it."""
    if Path(name).is_dir():
        return {}
    mine = entry.named(name)
    told = lab.adapter(mine.id, mine.owner)
    return {key: told[key] for key in ("name", "model") if told[key]}


def _mixed(told: argparse.Namespace, tell: Tell) -> Answer:
    naming.check_out(told.out)
    named = naming.adapters(told.adapter)
    parts = [(str(folder), weight, name) for name, (folder, weight) in named.items()]
    place: dict[str, Any] = {"out": str(told.out)}
    if told.out is None:
        model = lab.base_of(parts[0][0])
        place = {"owner": OWNER, "name": told.name or " + ".join(named), "model": model}
    recipe = {name: getattr(told, name) for name in ("method", "density", "seed")}
    return last(lab.mix_adapters(parts, rank=told.compress_rank, **recipe, **place), tell)


def _proved(told: argparse.Namespace, tell: Tell) -> Answer:
    events = lab.prove_adapter(str(naming.adapter(told.adapter)), told.model)
    return {"adapter": told.adapter, **last(events, tell)}


def sentences(answer: Answer, language: str) -> str:
    """The answer of `adapters`, for people."""
    return _DEEDS[answer["deed"]].say(answer, language)


def merged(answer: Answer, language: str) -> str:
    difference = number(answer["max_difference"], language)
    size = byte_size(answer["bytes"], language)
    told = {name: answer[name] for name in ("folder", "same_tokens", "tokens")}
    return say("cli.merged", language, **told, size=size, difference=difference)


def _list_told(answer: Answer, language: str) -> str:
    if not answer["adapters"]:
        return say("cli.no_adapters", language)
    return "\n".join(line(told, language) for told in answer["adapters"])


def line(told: dict[str, Any], language: str) -> str:
    """An adapter of the shelf in one line."""
    kind = say(f"shelf.kind.{told['kind']}", language)
    parts = [told["id"], kind, told["name"] or told["data"] or "–", told["model"]]
    if told["rank"] is not None:
        parts.append(f"r = {told['rank']}")
    if told["heldout_loss"] is not None:
        parts.append(say("cli.loss", language, loss=number(told["heldout_loss"], language, 3)))
    return "  ".join([*parts, byte_size(told["bytes"], language)])


def _import_told(answer: Answer, language: str) -> str:
    base = say(f"shelf.base.{answer['base']}", language)
    return say("cli.imported", language, id=answer["id"], model=answer["model"], base=base)


def _export_told(answer: Answer, language: str) -> str:
    return "\n".join(str(answer[key]) for key in ("file", "address") if key in answer)


def _mix_told(answer: Answer, language: str) -> str:
    where = answer.get("adapter") or answer.get("id")
    error = say("shelf.error", language, percent=number(100 * answer["error"], language))
    return say("cli.mixed", language, where=where, rank=answer["rank"], error=error)


def _prove_told(answer: Answer, language: str) -> str:
    return "\n".join(proof.lines(answer, language))


class _Deed(NamedTuple):
    flags: Callable[[argparse.ArgumentParser, Described], None]
    do: Callable[[argparse.Namespace, Tell], Answer]
    say: Callable[[Answer, str], str]


_DEEDS = {
    "list": _Deed(_none, _listed, _list_told),
    "import": _Deed(_import, _imported, _import_told),
    "export": _Deed(_export, _exported, _export_told),
    "mix": _Deed(_mix, _mixed, _mix_told),
    "prove": _Deed(_prove, _proved, _prove_told),
}
