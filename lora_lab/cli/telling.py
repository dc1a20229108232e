"""The verbs' answers as sentences, for people who read a terminal."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lora_lab.cli import ladder, shelf
from lora_lab.cli.foreground import Answer
from lora_lab.config import from_json
from lora_lab.words import byte_size, number, say

SHOWN_VALUES = 16  # singular values in a line


def sentences(verb: str, answer: Answer, language: str) -> str:
    """The answer of a verb, for people."""
    return _SENTENCES[verb](answer, language)


def _models(answer: Answer, language: str) -> str:
    return "\n".join(_model(model, language) for model in answer["models"])


def _model(model: dict[str, Any], language: str) -> str:
    size = byte_size(model["size_bytes"], language)
    where = say("cli.here", language) if model["here"] else size
    facts = f"{number(model['parameters'], language)}, {model['licence']}, {where}"
    return f"{model['name']}  ({facts})\n    {say(model['good_for'], language)}"


def _count(answer: Answer, language: str) -> str:
    return say(
        "cli.count",
        language,
        trainable=answer["trainable"],
        total=answer["total"],
        percent=number(answer["percent"], language),
        size=byte_size(answer["adapter_bytes"], language),
    )


def _trained(answer: Answer, language: str) -> str:
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


def _resumed(answer: Answer, language: str) -> str:
    return (ladder.sentences if "arms" in answer else _trained)(answer, language)


def _stopped(answer: Answer, language: str) -> str:
    return f"{answer['run']}  {say('run.state.' + answer['state'], language)}"


def _runs(answer: Answer, language: str) -> str:
    if not answer["runs"]:
        return say("cli.no_runs", language)
    return "\n".join(_run(run, language) for run in answer["runs"])


def _run(run: dict[str, Any], language: str) -> str:
    settings = from_json(run["settings"])
    what = f"run.short.{settings.method}"
    if "experiment" in run:
        what = f"ranklab.{run['experiment']['kind']}.title"
    parts = [run["id"], say(f"run.state.{run['state']}", language), settings.model]
    parts += [run["data"]["name"], say(what, language, **asdict(settings))]
    loss = (run["result"] or {}).get("heldout_loss")
    if loss is not None:
        parts.append(say("cli.loss", language, loss=number(loss, language, 3)))
    return "  ".join(parts)


def _compared(answer: Answer, language: str) -> str:
    base = say("cli.base", language)
    blocks = []
    for told in answer["prompts"]:
        columns = {base: told["base"], **told["adapted"]}
        texts = "\n".join(f"── {name}\n{text.strip()}" for name, text in columns.items())
        blocks.append(f"> {told['prompt']}\n{texts}")
    times = _row(answer["ms_per_token"], base, language, 1)
    blocks.append(say("cli.ms", language, values=times))
    blocks += [_measured(text, language) for text in (*answer["heldout"], answer["base_text"])]
    return "\n\n".join(blocks)


def _measured(answer: Answer, language: str) -> str:
    values = _row(answer, say("cli.base", language), language, 3)
    return say("cli.losses", language, data=answer["data"], rows=answer["rows"], values=values)


def _row(values: dict[str, Any], base: str, language: str, decimals: int) -> str:
    named = {base: values["base"], **values["adapted"]}
    return " · ".join(
        f"{name} {number(value, language, decimals)}" for name, value in named.items()
    )


def _factorised(answer: Answer, language: str) -> str:
    if "targets" in answer:
        return _cut(answer, language)
    names = ("rows", "columns", "original", "kept", "rank")
    return say(
        "cli.factorised",
        language,
        **{name: answer[name] for name in names},
        error=_percent(answer["relative_error"], language),
        values=_values(answer["singular_values"], language),
    )


def _cut(answer: Answer, language: str) -> str:
    names = ("targets", "rank", "kept", "original", "data")
    whole = say(
        "cli.cut.whole",
        language,
        **{name: answer[name] for name in names},
        error=_percent(answer["relative_error"], language),
        before=number(answer["base_loss"], language, 3),
        after=number(answer["loss"], language, 3),
    )
    beside = [
        say("cli.cut.beside", language, **{**each, "loss": number(each["loss"], language, 3)})
        for each in answer["adapters"]
    ]
    return "\n".join([whole, *beside])


def _spectrum(answer: Answer, language: str) -> str:
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
    if "compressed" in answer:
        lines += _compressed(answer, language)
    return "\n".join(lines)


def _compressed(answer: Answer, language: str) -> list[str]:
    base = number(answer["base_loss"], language, 3)
    lines = [say("cli.spectrum.base", language, data=answer["data"], loss=base)]
    for each in answer["compressed"]:
        loss, error = number(each["loss"], language, 3), _percent(each["relative_error"], language)
        told = {"rank": each["rank"], "loss": loss, "error": error}
        lines.append(say("cli.spectrum.compressed", language, **told))
    return lines


def _similarity(told: dict[str, Any], language: str) -> str:
    phi, random = told["phi"], told["random"]
    figures = {"first": phi[0][0], "last": phi[-1][-1], "random": random[-1][-1]}
    written = {name: number(value, language, 2) for name, value in figures.items()}
    return say("cli.spectrum.similarity", language, i=len(phi), j=len(phi[0]), **written)


def _share(share: float | None, language: str) -> str:
    return "–" if share is None else f"{_percent(share, language)} %"


def _percent(share: float, language: str) -> str:
    return number(round(100 * share, 4), language)


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
