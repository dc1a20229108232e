"""Pieces of HTML that every tab uses. Whatever a person or a model wrote goes through safe()."""

from __future__ import annotations

import html
from typing import Any

from lora_lab.errors import LabError
from lora_lab.words import say


def safe(text: Any) -> str:
    """Text that cannot become markup, quotes included."""
    return html.escape(str(text), quote=True)


def problem_card(error: LabError, language: str) -> str:
    """A calm card: what is wrong, where, what to do."""
    place = error.place(language)
    where = f'<p class="where">{safe(place)}</p>' if place else ""
    return (
        f'<div class="problem" role="alert"><strong>{safe(error.problem(language))}</strong>'
        f"{where}<p>{safe(error.remedy(language))}</p></div>"
    )


def note(key: str, language: str, **facts: Any) -> str:
    """One line of grey help, from the table of words."""
    return f'<p class="note">{safe(say(key, language, **facts))}</p>'


def verdict(*texts: str) -> str:
    """What the figures come to, in a few sentences that stand out, the first of them most."""
    told = "".join(f"<p>{safe(text)}</p>" for text in texts if text)
    return f'<div class="verdict">{told}</div>' if told else ""


def caption(text: str) -> str:
    """A table's; on a phone it is as wide as the screen while the table itself is scrolled."""
    return f"<caption><span>{safe(text)}</span></caption>" if text else ""


def step_title(number: int, key: str, language: str) -> str:
    return f'<h2 class="step"><b aria-hidden="true">{number}</b>{safe(say(key, language))}</h2>'
