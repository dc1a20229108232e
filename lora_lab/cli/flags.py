"""The command line's verbs and flags, in the person's language; settings make their own flags."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lora_lab import words
from lora_lab.cli import ladder, shelf
from lora_lab.config import Sampling, Settings
from lora_lab.lora.targets import FAMILIES

Describe = Callable[[str], str]  # a flag's name -> its line of help
WHOLE = {f.metadata["group"] for f in dataclasses.fields(Settings)}
# The settings each verb takes, by group or by name.
TAKES = {
    "count": {"model", "adapter"},
    "train": WHOLE,
    "compare": {"model", "machine", "sampling"},
    "evaluate": {"model", "data", "max_length", "machine"},
    "factorise": {"model"},
    "ladder": WHOLE,
}

PARTS = ("label", "help")  # of a setting: on the page the one stands over it, the other below
SHOWN = {"targets": "|".join((*FAMILIES, "q_proj,v_proj", "re:PATTERN"))}


def parser(language: str) -> argparse.ArgumentParser:
    """The whole command line. What a verb parses to holds `verb` and each flag's value."""
    _speak(language)
    everywhere = argparse.ArgumentParser(add_help=False)
    described = partial(_described, language=language)
    everywhere.add_argument("--json", action="store_true", help=described("json"))
    everywhere.add_argument("--lang", choices=tuple(words.LANGUAGES), help=described("lang"))
    whole = argparse.ArgumentParser(prog="python -m lora_lab", description=described("lab"))
    whole.add_argument("--lang", choices=tuple(words.LANGUAGES), help=described("lang"))
    verbs = whole.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, add in _FLAGS.items():
        text = described(verb)
        one = verbs.add_parser(verb, help=text, description=text, parents=[everywhere])
        for kind in (Settings, Sampling):
            _settings(one, kind, TAKES.get(verb, set()), language)
        add(one, described)
    return whole


def settings(told: argparse.Namespace) -> Settings:
    """The settings among the flags, each in its range. Raises LabError for one that is not."""
    return Settings(**of_kind(Settings, told)).checked()


def of_kind(kind: type[Settings | Sampling], told: argparse.Namespace) -> dict[str, Any]:
    """The fields of Settings, or of Sampling, that are among the flags."""
    names = {f.name for f in dataclasses.fields(kind)}
    return {name: value for name, value in vars(told).items() if name in names}


def _described(name: str, language: str) -> str:
    return _plain(words.say(f"cli.help.{name}", language))


def _plain(text: str) -> str:
    """A line of help; a % in it would be argparse's own."""
    return text.replace("%", "%%")


def _settings(
    one: argparse.ArgumentParser,
    kind: type[Settings | Sampling],
    takes: set[str],
    language: str,
) -> None:
    groups: dict[str, Any] = {}
    for f in dataclasses.fields(kind):
        group = f.metadata["group"]
        if not takes & {f.name, group}:
            continue
        if group not in groups:
            title = words.say(f"setting.group.{group}", language)
            groups[group] = one.add_argument_group(title)
        name = f"{kind.words}.{f.name}"
        text = _plain(". ".join(words.say(f"{name}.{part}", language) for part in PARTS))
        if f.default != "":
            text += f" ({words.say('cli.help.default', language)}: %(default)s)"
        groups[group].add_argument(
            f"--{f.name.replace('_', '-')}",
            type=type(f.default),
            default=f.default,
            choices=f.metadata["choices"],
            metavar=None if f.metadata["choices"] else SHOWN.get(f.name, f.name.upper()),
            help=text,
        )


def _serve(one: argparse.ArgumentParser, described: Describe) -> None:
    one.add_argument("--host", default="", help=described("host"))
    one.add_argument("--port", type=int, default=0, help=described("port"))


def _train(one: argparse.ArgumentParser, described: Describe) -> None:
    one.add_argument("--out", type=Path, metavar="DIR", help=described("out"))


def _resume(one: argparse.ArgumentParser, described: Describe) -> None:
    _one_run(one, described)
    _train(one, described)


def _one_run(one: argparse.ArgumentParser, described: Describe) -> None:
    one.add_argument("run", metavar="RUN", help=described("run"))


def _adapters(one: argparse.ArgumentParser, described: Describe) -> None:
    name = "NAME_OR_DIR[=STRENGTH]"
    one.add_argument(
        "--adapter", action="append", default=[], metavar=name, help=described("adapter")
    )


def _compare(one: argparse.ArgumentParser, described: Describe) -> None:
    _adapters(one, described)
    one.add_argument("--prompt", action="append", required=True, help=described("prompt"))
    one.add_argument("--system", default="", help=described("system"))


def _factorise(one: argparse.ArgumentParser, described: Describe) -> None:
    help_ = described("factorise_file")
    one.add_argument("file", nargs="?", type=Path, metavar="FILE", help=help_)
    one.add_argument("--shape", metavar="9x9", help=described("shape"))
    one.add_argument("--weight", metavar="PATH", help=described("weight"))
    one.add_argument("--targets", metavar=SHOWN["targets"], help=described("cut_targets"))
    one.add_argument("--rank", type=int, required=True, help=described("truncated_rank"))
    name = "NAME_OR_DIR"
    one.add_argument(
        "--adapter", action="append", default=[], metavar=name, help=described("cut_beside")
    )
    one.add_argument("--data", help=described("measured_on"))


def _spectrum(one: argparse.ArgumentParser, described: Describe) -> None:
    name = "NAME_OR_DIR"
    one.add_argument("--adapter", required=True, metavar=name, help=described("one_adapter"))
    one.add_argument("--other", metavar=name, help=described("other"))
    one.add_argument("--model", help=described("spectrum_model"))
    one.add_argument("--compress", action="store_true", help=described("compress"))
    one.add_argument("--data", help=described("measured_on"))


def _none(one: argparse.ArgumentParser, described: Describe) -> None:
    """No flags but those of the settings it takes."""


_FLAGS: dict[str, Callable[[argparse.ArgumentParser, Describe], None]] = {
    "serve": _serve,
    "models": _none,
    "count": _none,
    "train": _train,
    "resume": _resume,
    "stop": _one_run,
    "runs": _none,
    "compare": _compare,
    "evaluate": _adapters,
    "factorise": _factorise,
    "spectrum": _spectrum,
    "ladder": ladder.flags,
    "adapters": shelf.flags,
    "merge": shelf.merge_flags,
}


def _speak(language: str) -> None:
    """argparse's own sentences, in the person's language.

    It looks each up by its English text, through gettext, which it has under the name `_`; the
    table of words holds them under cli.argparse. One that is not there stays English.
    """
    table = words.table().items()
    own = {texts["en"]: texts for key, texts in table if key.startswith("cli.argparse.")}

    def translated(text: str) -> str:
        return own[text][language] if text in own else text

    vars(argparse)["_"] = translated
