"""One run as the page shows it: pure functions from what lab.run and lab.events tell to HTML."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from lora_lab.config import Settings, from_json
from lora_lab.errors import LabError
from lora_lab.ui.chart import Series, loss_chart
from lora_lab.ui.markup import problem_card, safe
from lora_lab.words import byte_size, duration, number, say, table

Events = list[dict[str, Any]]


def title(run: dict[str, Any], language: str) -> str:
    """What a run is called: its data, model and adapter, in one line of plain text."""
    settings = from_json(run["settings"])
    return say(
        "run.title",
        language,
        data=data_name(run["data"]["name"], language),
        model=settings.model.rsplit("/", 1)[-1],
        method=method(settings.method, _sizes(settings), language),
    )


def data_name(file: str, language: str) -> str:
    """A sample by its title, any other data by its file."""
    key = f"dataset.{PurePath(file).stem}.title"
    return say(key, language) if key in table() else file


def short_name(place: int, run: dict[str, Any], language: str) -> str:
    """How a run is called where there is little room; a table beside it tells the rest."""
    settings = from_json(run["settings"])
    short = say(f"run.short.{settings.method}", language, **_sizes(settings))
    return f"{place + 1} · {short}"


def method(name: str, sizes: dict[str, Any], language: str) -> str:
    """What was trained, in a few words. sizes: rank, alpha, prefix_tokens; None where unknown."""
    known = {key: size or 0 for key, size in sizes.items()}
    return say(f"run.method.{name}", language, **known)


def _sizes(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in ("rank", "alpha", "prefix_tokens")}


def curves(run: dict[str, Any], events: Events, language: str) -> str:
    """The loss so far: train solid, held-out dashed."""
    train, heldout = points(events, "train"), points(events, "heldout")
    last = next((e for e in reversed(events) if e["kind"] == "train"), None)
    steps = run["settings"]["steps"] if last else 0
    a_step = last["epoch"] / last["step"] if last else 0.0
    series = [
        Series(say("chart.train", language), train),
        Series(say("chart.heldout", language), heldout, style=1, marked=True),
    ]
    return loss_chart(series, language, last_step=steps, epochs_a_step=a_step)


def points(events: Events, kind: str) -> list[tuple[float, float]]:
    return [(e["step"], e["loss"]) for e in events if e["kind"] == kind]


def of_kind(events: Events, kind: str) -> dict[str, Any] | None:
    """The last event of a kind."""
    return next((e for e in reversed(events) if e["kind"] == kind), None)


def standing(run: dict[str, Any], events: Events, place: dict[str, Any], language: str) -> str:
    """The card over the chart: which run, its state, how far it is and what is left.

    place: {"place": 1 for the next, "seconds": until its turn} while it waits.
    """
    state = run["state"]
    head = (
        f'<p class="run-title"><strong>{safe(title(run, language))}</strong> '
        f'<span class="state {safe(state)}">{safe(say(f"run.state.{state}", language))}</span></p>'
    )
    error = run["error"]
    body = problem_card(LabError.from_json(error), language) if error else ""
    if state == "queued":
        again = say("queue.again", language) + " " if of_kind(events, "heldout") else ""
        body += line(again + _waiting(place, language))
    elif state == "running":
        body += _progress(from_json(run["settings"]), events, language)
    else:
        body += _result(run, language)
    return f'<section class="standing" role="status">{head}{body}</section>'


def sample(events: Events, language: str) -> str:
    """The last sample text: what the adapter makes of a fixed opening."""
    last, start = of_kind(events, "sample"), of_kind(events, "start")
    if not last:
        return ""
    head = say("sample.title", language, step=last["step"])
    opening = f"<b>{safe(start['opening'])}</b>" if start else ""
    return (
        f'<section class="sample"><h3>{safe(head)}</h3>'
        f"<p>{opening}{safe(last['text'])}</p></section>"
    )


def _waiting(place: dict[str, Any], language: str) -> str:
    if place.get("place", 1) <= 1:
        text = say("queue.next", language)
    else:
        text = say("queue.place", language, place=place["place"])
    seconds = place.get("seconds")
    if seconds:
        text += " " + say("queue.wait", language, time=duration(seconds, language))
    return text


def _progress(settings: Settings, events: Events, language: str) -> str:
    last = events[-1] if events else None
    if last is None or last["kind"] in ("progress", "start"):
        return preparing(last, language)
    train = of_kind(events, "train")
    if not train:
        return line(say("progress.measuring", language))
    told = say(
        "progress.training",
        language,
        step=train["step"],
        steps=settings.steps,
        speed=round(train["tokens_per_second"]),
        left=duration(train["seconds_left"], language),
        memory=byte_size(train["memory_bytes"], language),
    )
    return bar(train["step"] / settings.steps, told) + line(told)


def preparing(last: dict[str, Any] | None, language: str) -> str:
    """Waiting for a turn, starting, downloading or loading: last is the latest such event."""
    if last is None:
        return line(say("progress.starting", language))
    if last["kind"] == "waiting":
        return line(say("progress.turn", language, place=last["place"]))
    phase = last.get("phase")
    if phase != "fetching":
        still = phase if phase in ("converting", "waiting") else "loading"
        return line(say(f"progress.{still}", language))
    done, total, left = last.get("done"), last.get("total"), last.get("seconds_left")
    told = say("progress.fetching", language)
    if total and done is not None:
        told += f" {byte_size(done, language)} / {byte_size(total, language)}"
        told += (
            f" · {say('progress.left', language, time=duration(left, language))}" if left else ""
        )
        return bar(done / total, told) + line(told)
    return line(told)


def _result(run: dict[str, Any], language: str) -> str:
    """Held-out loss before and after, what was forgotten, and what it cost."""
    result = run["result"]
    if not result:
        return ""
    told = say(
        "result.heldout",
        language,
        before=number(result["heldout_loss_before"], language, 3),
        after=_loss(result["heldout_loss"], language),
        steps=result["steps"],
        speed=round(result["tokens_per_second"]),
    )
    told = line(told) + _worse(result, language) + _forgotten(result, language)
    return told + _cost(run.get("forecast") or {}, result, language)


def _worse(result: dict[str, Any], language: str) -> str:
    """Where training did harm, what to do; a loss that was never measured says nothing."""
    after = result["heldout_loss"]
    worse = after is not None and after > result["heldout_loss_before"]
    return line(say("result.worse", language)) if worse else ""


def _forgotten(result: dict[str, Any], language: str) -> str:
    """The forgetting score; runs made before there was one have none."""
    if result.get("base_text_loss") is None:
        return ""
    before, after = (
        number(result[name], language, 3) for name in ("base_text_loss_before", "base_text_loss")
    )
    return line(say("result.forgotten", language, before=before, after=after))


def _loss(loss: float | None, language: str) -> str:
    return "–" if loss is None else number(loss, language, 3)


def _cost(forecast: dict[str, Any], result: dict[str, Any], language: str) -> str:
    """What was measured, each beside its forecast."""
    told = [
        say(
            f"result.{key}",
            language,
            measured=write(measured, language),
            forecast=write(f, language),
        )
        for key, measured, write in (
            ("memory_bytes", result["peak_memory_bytes"], byte_size),
            ("seconds", result["seconds"], duration),
        )
        if (f := forecast.get(key))
    ]
    return line(" · ".join(told)) if told else ""


def bar(share: float, told: str) -> str:
    return (
        f'<div class="bar" role="progressbar" aria-valuemin="0" aria-valuemax="100"'
        f' aria-valuenow="{100 * share:.0f}" aria-label="{safe(told)}">'
        f'<span style="width:{100 * min(1.0, share):.1f}%"></span></div>'
    )


def line(text: str) -> str:
    return f'<p class="line">{safe(text)}</p>'
