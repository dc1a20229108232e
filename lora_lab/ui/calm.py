"""Handlers that never show a traceback: what goes wrong comes back as a card in plain words."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any

import gradio as gr

from lora_lab.errors import LabError
from lora_lab.ui.markup import problem_card

log = logging.getLogger("lora_lab")
LOG = "page.log"  # in the lab's home folder


def calmly(language: str, outputs: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorates a handler that returns a list of `outputs` values; one more follows them: the card
    of problems, empty when all went well. A failed handler leaves its other outputs as they are.
    """

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isgeneratorfunction(handler):

            @functools.wraps(handler)
            def streamed(*inputs: Any):
                try:
                    for values in handler(*inputs):
                        yield [*values, ""]
                except Exception as error:
                    yield [*[gr.skip()] * outputs, problem_card(told(error), language)]

            return streamed

        @functools.wraps(handler)
        def answered(*inputs: Any) -> list[Any]:
            try:
                values = handler(*inputs)
                # Nothing new is nothing at all: an earlier card stays as well.
                idle = all(value == gr.skip() for value in values)
                return [*values, gr.skip() if idle else ""]
            except Exception as error:
                return [*[gr.skip()] * outputs, problem_card(told(error), language)]

        return answered

    return decorate


def told(error: Exception) -> LabError:
    """The error as a person is told it; one that nobody foresaw goes to the server's log whole."""
    if isinstance(error, LabError):
        return error
    log.exception("an error nobody foresaw", exc_info=error)
    return LabError("unexpected", kind=type(error).__name__, log=LOG)
