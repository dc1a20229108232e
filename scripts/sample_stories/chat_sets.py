"""The sets for the chat model: short answers in one style, and orders turned into JSON."""

from __future__ import annotations

import json
from pathlib import Path

from . import english
from .grammar import Cast, Decks, Grammar, Plot

HERE = Path(__file__).parent
ORDERS = 340
ASKED = "Give this order as JSON with item, quantity and day: "


class Facts:
    """The language of the questions: {fact} and, by number, what else its line says."""

    def write(self, slot: list[str], cast: Cast) -> str:
        word = cast[slot[0]]
        return word.text if len(slot) == 1 else word.forms[int(slot[1]) - 1]

    def finish(self, text: str) -> str:
        return text


def short_answers() -> list[dict]:
    """Every fact asked once, and the open questions, shuffled together."""
    grammar, decks = Grammar(HERE / "short_answers.txt", Facts()), Decks(seed=31)
    pairs = [
        _asked(grammar, plot, decks)
        for plot in grammar.plots
        for _ in grammar.words[plot.cast["fact"]]
    ]
    lines = (HERE / "open_questions.txt").read_text("utf-8").splitlines()
    pairs += [tuple(line.split(" | ")) for line in lines]
    return [_chat(*pairs[decks.draw("pair", len(pairs))]) for _ in pairs]


def _asked(grammar: Grammar, plot: Plot, decks: Decks) -> tuple[str, str]:
    cast = grammar.cast(plot, decks)
    question, answer = (grammar.sentence(beat, cast, decks) for beat in plot.beats)
    return question, answer


def _chat(question: str, answer: str) -> dict:
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
    }


def extract_orders() -> list[dict[str, str]]:
    """An order in a person's words, and what was ordered as a line of JSON."""
    grammar, decks = Grammar(HERE / "orders.txt", english), Decks(seed=32)
    rows: dict[str, str] = {}
    while len(rows) < ORDERS:
        cast = grammar.cast(grammar.plots[0], decks)
        order = {
            "item": cast["item"].text,
            "quantity": int(cast["count"].forms[0] if cast["count"].forms else cast["count"].text),
            "day": cast["day"].text,
        }
        said = grammar.finished(grammar.story(grammar.plots[0], cast, decks))
        rows[ASKED + said] = json.dumps(order)
    return [{"prompt": prompt, "response": response} for prompt, response in rows.items()]
