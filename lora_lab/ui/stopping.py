"""Stop and Resume of the run that is shown, as the Train tab and the Rank lab both offer them."""

from __future__ import annotations

from typing import Any, Protocol

import gradio as gr

from lora_lab import lab
from lora_lab.ui.calm import calmly
from lora_lab.ui.identity import owner
from lora_lab.ui.training import QUIET
from lora_lab.words import say


def alive(state: str) -> bool:
    return state in ("queued", "running")


def offered(state: str) -> list[Any]:
    """What a run's state makes of both buttons."""
    return [gr.update(visible=alive(state)), gr.update(visible=state in ("stopped", "failed"))]


def ready(language: str) -> dict[str, Any]:
    """The Stop button of a run that was only just started or resumed."""
    return gr.update(interactive=True, value=say("train.stop", language))


class Shown(Protocol):
    """What shows a run: its id, what of it is seen already, both buttons, the card of problems."""

    run: gr.Textbox
    seen: gr.Textbox
    stop: gr.Button
    resume: gr.Button
    trouble: gr.HTML


def wire(shown: Shown, language: str) -> Any:
    """The event of a run that was resumed, which is to be looked at anew."""

    def stopped(run: str, request: gr.Request) -> list[Any]:
        lab.stop(run, owner(request))
        return [gr.update(interactive=False, value=say("train.stopping", language))]

    def resumed(run: str, request: gr.Request) -> list[Any]:
        lab.resume(run, owner(request))
        return ["", ready(language)]

    shown.stop.click(calmly(language, 1)(stopped), shown.run, [shown.stop, shown.trouble], **QUIET)
    resumes, anew = calmly(language, 2)(resumed), [shown.seen, shown.stop, shown.trouble]
    return shown.resume.click(resumes, shown.run, anew, **QUIET)
