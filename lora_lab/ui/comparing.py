"""What the Compare tab does: the chosen adapters and the base answer in the warm process."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lora_lab import lab
from lora_lab.errors import LabError
from lora_lab.runs.warm import Warm
from lora_lab.ui import cards, live
from lora_lab.ui.calm import calmly
from lora_lab.ui.compare import EXAMPLE, SAMPLING, SLOTS, Answers, CompareTab
from lora_lab.ui.identity import owner
from lora_lab.ui.training import QUIET, SLOW
from lora_lab.words import number, say

MOST_PROMPTS = 8  # rows of one batch: prompts × columns

# What may be asked of a comparison: a page or a program sends what it likes.
ASKED = ("max_new_tokens", "temperature", "top_p", "seed", "system", "measure", "mixture")


class Comparing:
    """The handlers of one language's Compare tab."""

    def __init__(self, tab: CompareTab, language: str, warm: Warm):
        self.tab, self.language, self.warm = tab, language, warm
        self.writing: dict[str, object] = {}  # by page: the turn of what it is writing

    def list_adapters(self, request: gr.Request, prompts: str, *chosen: Any) -> list[Any]:
        """Fill the choices anew; without a choice so far, the newest adapter is the first one's,
        and its data's opening the prompt."""
        who = owner(request)
        mine = lab.shelf(who)
        choices = [("–", ""), *((cards.title(each, self.language), each["id"]) for each in mine)]
        ids = [each["id"] for each in mine]
        values = [id if id in ids else "" for id in chosen]
        if not any(values) and ids:
            values[0] = ids[0]
        opening = _opening(values[0], who) if prompts == EXAMPLE and values[0] else ""
        filled = [gr.update(choices=choices, value=value) for value in values]
        return [opening or gr.skip(), *filled]

    def add(self, shown: str) -> list[Any]:
        """One more column; shown: how many there are."""
        count = min(int(shown or 1) + 1, SLOTS)
        columns = [gr.update(visible=place < count) for place in range(SLOTS)]
        return [str(count), *columns, gr.update(interactive=count < SLOTS), gr.update(visible=True)]

    def open_with(self, request: gr.Request, run: str, prompts: str, *chosen: Any) -> list[Any]:
        """The tab is opened for the adapter of a run."""
        listed = self.list_adapters(request, prompts, run, *chosen[1:])
        return [gr.update(selected="compare"), *listed]

    def write(self, request: gr.Request, prompts: str, *values: Any) -> Iterator[list[Any]]:
        """The answers as they come; values: adapters, their strengths, whether a mixture of them
        is wanted too, then the sampling.

        A later press of the button, or of Stop, ends what the same page was writing before.
        """
        told = [line.strip() for line in (prompts or "").splitlines() if line.strip()]
        if not told or len(told) > MOST_PROMPTS:
            raise LabError("prompts_count", most=MOST_PROMPTS)
        adapters, strengths = values[:SLOTS], values[SLOTS : 2 * SLOTS]
        chosen = [pair for pair in zip(adapters, strengths, strict=True) if pair[0]]
        names = [name for name, _, _ in SAMPLING]
        sampling = dict(zip(names, values[2 * SLOTS + 1 :], strict=True))
        mixture = bool(values[2 * SLOTS]) and len(chosen) > 1
        who, page, turn = owner(request), request.session_hash, object()
        self.writing[page] = turn
        columns = self._columns(chosen, who)
        if mixture:
            columns.append(say("compare.mix.column", self.language))
        answers = Answers(told, columns, self.language)
        yield [answers.html()]
        asked = {**sampling, "mixture": mixture}
        with closing(compare(self.warm, who, chosen, told, asked)) as events:
            for event in events:
                if self.writing.get(page) is not turn:
                    answers.stop()
                    yield [answers.html()]
                    return
                show(answers, event)
                yield [answers.html()]
        del self.writing[page]

    def write_again(self, request: gr.Request, prompts: str, *values: Any) -> Iterator[list[Any]]:
        """A dial was let go of: the same once more, if there is an adapter to turn up or down."""
        if any(values[:SLOTS]):
            yield from self.write(request, prompts, *values)

    def stop(self, request: gr.Request) -> None:
        self.writing.pop(request.session_hash, None)

    def _columns(self, chosen: list[tuple[str, float]], who: str) -> list[str]:
        """What the columns are called: the base, then each adapter and its strength."""
        names = [say("compare.base", self.language)]
        for id, strength in chosen:
            title = cards.title(lab.adapter(id, who), self.language)
            dial = {"adapter": title, "strength": number(float(strength), self.language)}
            names.append(
                title if float(strength) == 1 else say("compare.dialled", self.language, **dial)
            )
        return names


def _opening(id: str, who: str) -> str:
    """What a sample dataset is best tried with, else what the run's sample texts begin with."""
    try:
        run = lab.run(id, who)
    except LabError:
        return ""  # no run made it
    data = run["settings"]["data"]
    for sample in lab.sample_datasets():
        if sample["name"] == data:
            return sample["opening"]
    start = live.of_kind(lab.events(id, who)[0], "start")
    return " ".join(start["opening"].split()) if start else ""


def compare(
    warm: Warm,
    who: str,
    chosen: list[tuple[str, float]],
    prompts: list[str],
    sampling: dict[str, Any],
) -> Generator[dict[str, Any], None, None]:
    """The events of lab.compare for adapters of this owner; they must share their base model."""
    for name in sampling:
        if name not in ASKED:
            raise LabError("unknown_setting", value=str(name)[:60], choices=", ".join(ASKED))
    if not chosen:
        raise LabError("no_adapter_chosen")
    models = sorted({lab.adapter(id, who)["model"] for id, _ in chosen})
    if len(models) > 1:
        raise LabError("different_bases", models=", ".join(models))
    adapters = [(lab.adapter_folder(id, who), float(strength)) for id, strength in chosen]
    yield from warm.call("compare", model=models[0], adapters=adapters, prompts=prompts, **sampling)


def show(answers: Answers, event: dict[str, Any]) -> None:
    """Take what an event tells into the answers on the page."""
    kind, language = event["kind"], answers.language
    answers.waiting = ""
    if kind in ("waiting", "progress"):
        answers.waiting = live.preparing(event, language)
    elif kind == "pieces":
        for piece in event["pieces"]:
            answers.take(piece)
    elif kind == "warning":
        named = {"adapter": answers.columns[event["column"]]}
        answers.warnings.append(say(event["key"], language, **event["facts"] | named))
    elif kind == "figures":
        answers.measured(event)


@dataclass
class FromRun:
    """The way here from a run that is shown: the button, the run's id, the page's tabs."""

    press: gr.Button
    id: gr.Textbox
    tabs: gr.Tabs


def wire(tab: CompareTab, language: str, warm: Warm, shown: list[Any], run: FromRun) -> None:
    """shown: the events on which the list of adapters is read anew."""
    does = Comparing(tab, language, warm)
    listing = calmly(language, SLOTS + 1)(does.list_adapters)
    listed = [tab.prompts, *tab.adapters]
    gr.on(shown, listing, listed, [*listed, tab.problem], **QUIET)
    count = gr.Textbox("1", visible="hidden")
    add = calmly(language, SLOTS + 3)(does.add)
    tab.add.click(add, count, [count, *tab.slots, tab.add, tab.mix, tab.problem], **QUIET)
    inputs = [tab.prompts, *tab.adapters, *tab.strengths, tab.mix, *tab.sampling]
    write = calmly(language, 1)(does.write)
    outputs = [tab.answers, tab.problem]
    tab.write.click(write, inputs, outputs, concurrency_limit=None, **SLOW)
    open_with = calmly(language, SLOTS + 2)(does.open_with)
    opened = run.press.click(
        open_with, [run.id, *listed], [run.tabs, *listed, tab.problem], **QUIET
    )
    opened.success(write, inputs, outputs, concurrency_limit=None, **SLOW)
    again = calmly(language, 1)(does.write_again)
    dials = [strength.release for strength in tab.strengths]
    gr.on(dials, again, inputs, outputs, concurrency_limit=None, **SLOW)
    tab.stop.click(does.stop, None, None, **QUIET)
