"""One page a language, each at its own path, and the switch between them."""

from __future__ import annotations

from typing import Any

from starlette.responses import RedirectResponse

from lora_lab import words
from lora_lab.ui.identity import cookie, header, opens_a_page

COOKIE = "lora-lab-language"
PATHS = {"es": "/es", "gl": "/gl", "en": "/"}  # the root last: it would answer for all of them


class LanguageChoice:
    """ASGI middleware: who opens the root comes to the language chosen before or, the first time,
    to the one the browser asks for."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        place = _better_place(scope) if scope["type"] == "http" else None
        answer = RedirectResponse(place) if place else self.app
        await answer(scope, receive, send)


def switch(language: str) -> str:
    """The links EN · ES · GL. The page's script adds the settings and stores the choice."""
    links = []
    for code, path in sorted(PATHS.items()):
        current = ' aria-current="true"' if code == language else ""
        href = path if path == "/" else f"{path}/"
        links.append(
            f'<a href="{href}" lang="{code}" hreflang="{code}" data-language="{code}"'
            f' title="{words.LANGUAGES[code]}"{current}>{code.upper()}</a>'
        )
    label = words.say("page.languages", language)
    return f'<nav class="languages" aria-label="{label}">{" · ".join(links)}</nav>'


def _better_place(scope: Any) -> str | None:
    if not opens_a_page(scope):
        return None
    query = scope["query_string"].decode("latin-1")
    tail = f"?{query}" if query else ""
    if scope["path"] in ("/es", "/gl"):
        return f"{scope['path']}/{tail}"
    if scope["path"] != "/":
        return None
    chosen = cookie(header(scope, b"cookie"), COOKIE)
    if chosen not in words.LANGUAGES:
        chosen = words.best_language(header(scope, b"accept-language"))
    return None if chosen == words.DEFAULT else f"{PATHS[chosen]}/{tail}"
