"""Answers and progress as sentences, for people who read a terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

from lora_lab.cli import ladder, shelf
from lora_lab.words import byte_size, duration, number, say

SHOWN_VALUES = 16  # singular values in a line
EVERY_SECONDS = 2.0  # how often a line of progress is written at most


class Progress:
    """Writes events to stderr, a line each; of the frequent ones, one every few seconds."""

    def __init__(self, language: str):
        self._language = language
        self._last = ("", 0.0)

    def __call__(self, event: dict[str, Any]) -> None:
        line = _LINES.get(event["kind"], _nothing)(event, self._language)
        if line and not self._too_soon(event):
            print(line, file=sys.stderr, flush=True)

    def _too_soon(self, event: dict[str, Any]) -> bool:
        kind = event["kind"] + event.get("phase", "")
        if kind == self._last[0] and time.monotonic() - self._last[1] < EVERY_SECONDS:
            return True
        self._last = (kind, time.monotonic())
        return False


def _progress(event: dict[str, Any], language: str) -> str:
    line = say(f"cli.phase.{event['phase']}", language)
    if event.get("total"):
        done, total = (byte_size(event[name], language) for name in ("done", "total"))
        line += " " + say("cli.bytes", language, done=done, total=total)
    if event.get("seconds_left") is not None:
        line += " " + _left(event, language)
    return line


def _train(event: dict[str, Any], language: str) -> str:
    line = say(
        "cli.step",
        language,
        step=event["step"],
        loss=number(event["loss"], language, 3),
        speed=number(round(event["tokens_per_second"]), language),
    )
    return f"{line} {_left(event, language)}"


def _left(event: dict[str, Any], language: str) -> str:
    return say("cli.left", language, time=duration(event["seconds_left"], language))


def _heldout(event: dict[str, Any], language: str) -> str:
    loss = number(event["loss"], language, 3)
    return say("cli.heldout", language, step=event["step"], loss=loss)


def _sample(event: dict[str, Any], language: str) -> str:
    return say("cli.sample", language, step=event["step"], text=" ".join(event["text"].split()))


def _warning(event: dict[str, Any], language: str) -> str:
    return say(event["key"], language, **event["facts"])


def _round(event: dict[str, Any], language: str) -> str:
    return f"{ladder.round_(event, language)} {_left(event, language)}"


def _nothing(event: dict[str, Any], language: str) -> str:
    return ""


_LINES = {
    "progress": _progress,
    "train": _train,
    "heldout": _heldout,
    "sample": _sample,
    "warning": _warning,
    "round": _round,
    "arm": ladder.told,
    "search": ladder.told,
}


def sentences(verb: str, answer: dict[str, Any], language: str) -> str:
    """The answer of a verb, for people."""
    return _SENTENCES[verb](answer, language)


def _models(answer: dict[str, Any], language: str) -> str:
    return "\n".join(_model(model, language) for model in answer["models"])


def _model(model: dict[str, Any], language: str) -> str:
    size = byte_size(model["size_bytes"], language)
    where = say("cli.here", language) if model["here"] else size
    facts = f"{number(model['parameters'], language)}, {model['licence']}, {where}"
    return f"{model['name']}  ({facts})\n    {say(model['good_for'], language)}"


def _count(answer: dict[str, Any], language: str) -> str:
    return say(
        "cli.count",
        language,
        trainable=answer["trainable"],
        total=answer["total"],
        percent=number(answer["percent"], language),
        size=byte_size(answer["adapter_bytes"], language),
    )


def _trained(answer: dict[str, Any], language: str) -> str:
    state = say(f"run.state.{answer['state']}", language)
    losses = (answer["heldout_loss_before"], answer["heldout_loss"])
    before, after = ("–" if loss is None else number(loss, language, 3) for loss in losses)
    return say(
        "cli.trained",
        language,
        run=answer["run"],
        state=state,
        before=before,
        after=after,
        adapter=answer["adapter"],
    )


def _resumed(answer: dict[str, Any], language: str) -> str:
    return (ladder.sentences if "arms" in answer else _trained)(answer, language)


def _stopped(answer: dict[str, Any], language: str) -> str:
    return f"{answer['run']}  {say('run.state.' + answer['state'], language)}"


def _runs(answer: dict[str, Any], language: str) -> str:
    if not answer["runs"]:
        return say("cli.no_runs", language)
    lines = []
    for run in answer["runs"]:
        settings, state = run["settings"], say(f"run.state.{run['state']}", language)
        loss = (run["result"] or {}).get("heldout_loss")
        end = (
            "" if loss is None else f"  {say('cli.loss', language, loss=number(loss, language, 3))}"
        )
        name = f"{settings['model']}  {run['data']['name']}  r = {settings['rank']}"
        lines.append(f"{run['id']}  {state}  {name}{end}")
    return "\n".join(lines)


def _compared(answer: dict[str, Any], language: str) -> str:
    base = say("cli.base", language)
    blocks = []
    for told in answer["prompts"]:
        columns = {base: told["base"], **told["adapted"]}
        texts = "\n".join(f"── {name}\n{text.strip()}" for name, text in columns.items())
        blocks.append(f"> {told['prompt']}\n{texts}")
    times = _row(answer["ms_per_token"], base, language, 1)
    blocks.append(say("cli.ms", language, values=times))
    measured = [*answer["heldout"], *filter(None, [answer["base_text"]])]
    blocks += [_measured(text, language) for text in measured]
    return "\n\n".join(blocks)


def _measured(answer: dict[str, Any], language: str) -> str:
    values = _row(answer, say("cli.base", language), language, 3)
    return say("cli.losses", language, data=answer["data"], rows=answer["rows"], values=values)


def _row(values: dict[str, Any], base: str, language: str, decimals: int) -> str:
    named = {base: values["base"], **values["adapted"]}
    return " · ".join(
        f"{name} {number(value, language, decimals)}" for name, value in named.items()
    )


def _factorised(answer: dict[str, Any], language: str) -> str:
    names = ("rows", "columns", "original", "kept", "rank")
    return say(
        "cli.factorised",
        language,
        **{name: answer[name] for name in names},
        error=number(round(100 * answer["relative_error"], 4), language),
        values=_values(answer["singular_values"], language),
    )


def _spectrum(answer: dict[str, Any], language: str) -> str:
    effective = number(answer["effective_rank"], language)
    lines = [say("cli.spectrum.mean", language, effective=effective, rank=answer["rank"])]
    for each in answer["matrices"]:
        told = {
            "path": each["path"],
            "effective": number(each["effective_rank"], language),
            "size": _share(each["relative_norm"], language),
            "values": _values(each["singular_values"], language),
        }
        lines.append(say("cli.spectrum.matrix", language, **told))
    if answer["similarity"]:
        lines.append(_similarity(answer["similarity"], language))
    return "\n".join(lines)


def _similarity(told: dict[str, Any], language: str) -> str:
    phi, random = told["phi"], told["random"]
    figures = {"first": phi[0][0], "last": phi[-1][-1], "random": random[-1][-1]}
    written = {name: number(value, language, 2) for name, value in figures.items()}
    return say("cli.spectrum.similarity", language, i=len(phi), j=len(phi[0]), **written)


def _share(share: float | None, language: str) -> str:
    return "–" if share is None else f"{number(100 * share, language)} %"


def _values(values: list[float], language: str) -> str:
    shown = " · ".join(number(value, language) for value in values[:SHOWN_VALUES])
    return shown + (" …" if len(values) > SHOWN_VALUES else "")


_SENTENCES = {
    "models": _models,
    "count": _count,
    "train": _trained,
    "resume": _resumed,
    "stop": _stopped,
    "runs": _runs,
    "compare": _compared,
    "evaluate": _measured,
    "factorise": _factorised,
    "spectrum": _spectrum,
    "ladder": ladder.sentences,
    "adapters": shelf.sentences,
    "merge": shelf.merged,
}
