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
from lora_lab.config import Settings

Describe = Callable[[str], str]  # a flag's name -> its line of help
VERBS = (
    "serve",
    "models",
    "count",
    "train",
    "resume",
    "stop",
    "runs",
    "compare",
    "evaluate",
    "factorise",
    "spectrum",
    "ladder",
    "adapters",
    "merge",
)
# The settings each verb takes, by group or by name.
TAKES = {
    "count": ("model", "adapter"),
    "train": tuple(f.metadata["group"] for f in dataclasses.fields(Settings)),
    "compare": ("model", "machine"),
    "evaluate": ("model", "data", "max_length", "machine"),
    "factorise": ("model",),
    "ladder": tuple(f.metadata["group"] for f in dataclasses.fields(Settings)),
}


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
    for verb in VERBS:
        text = described(verb)
        one = verbs.add_parser(verb, help=text, description=text, parents=[everywhere])
        _settings(one, TAKES.get(verb, ()), language)
        _FLAGS.get(verb, lambda *_: None)(one, described)
    return whole


def settings(told: argparse.Namespace) -> Settings:
    """The settings among the flags, each in its range. Raises LabError for one that is not."""
    names = {f.name for f in dataclasses.fields(Settings)}
    given = {name: value for name, value in vars(told).items() if name in names}
    return Settings(**given).checked()


def _described(name: str, language: str) -> str:
    """A flag's line of help; a % in one would be argparse's own."""
    return words.say(f"cli.help.{name}", language).replace("%", "%%")


def _settings(one: argparse.ArgumentParser, takes: tuple[str, ...], language: str) -> None:
    for f in dataclasses.fields(Settings):
        if f.name not in takes and f.metadata["group"] not in takes:
            continue
        text = words.say(f"setting.{f.name}.help", language).replace("%", "%%")
        if f.default != "":
            text += f" ({words.say('cli.help.default', language)}: %(default)s)"
        one.add_argument(
            f"--{f.name.replace('_', '-')}",
            type=type(f.default),
            default=f.default,
            choices=f.metadata["choices"],
            metavar=None if f.metadata["choices"] else f.name.upper(),
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
    given: list[tuple[str, Any]] = [
        ("max_new_tokens", 100),
        ("temperature", 0.7),
        ("top_p", 0.95),
        ("seed", 0),
        ("system", ""),
    ]
    for name, default in given:
        flag = f"--{name.replace('_', '-')}"
        text = (
            f"{described(name)} ({described('default')}: %(default)s)"
            if default != ""
            else described(name)
        )
        one.add_argument(flag, type=type(default), default=default, help=text)


def _factorise(one: argparse.ArgumentParser, described: Describe) -> None:
    help_ = described("factorise_file")
    one.add_argument("file", nargs="?", type=Path, metavar="FILE", help=help_)
    one.add_argument("--shape", metavar="9x9", help=described("shape"))
    one.add_argument("--weight", metavar="PATH", help=described("weight"))
    one.add_argument("--rank", type=int, required=True, help=described("truncated_rank"))


def _spectrum(one: argparse.ArgumentParser, described: Describe) -> None:
    name = "NAME_OR_DIR"
    one.add_argument("--adapter", required=True, metavar=name, help=described("one_adapter"))
    one.add_argument("--other", metavar=name, help=described("other"))
    one.add_argument("--model", help=described("spectrum_model"))


_FLAGS: dict[str, Any] = {
    "serve": _serve,
    "train": _train,
    "resume": _resume,
    "stop": _one_run,
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
