"""Who is at the other end: one anonymous person a browser, known by a cookie nobody can guess.

There are no accounts and no names. The cookie's value stays in the browser; what is written into
a run is its hash, so that reading a run folder does not let anybody pose as its owner.
"""

from __future__ import annotations

import hashlib
import http.cookies
import os
import secrets
from typing import Any

from lora_lab.errors import LabError

COOKIE = "lora-lab-owner"
HEADER = "x-lora-lab-owner"
YEAR = 365 * 24 * 3600
SHORTEST = 16  # characters of a secret that a program chooses for itself


def owner(request: Any) -> str:
    """The owner of this request's runs (32 hex digits); request is a gr.Request or a Starlette one.

    A program names itself by the header; a browser has its cookie; a client with neither is
    known by its Gradio session, for as long as that lasts.
    Raises LabError when the header is too short to be a secret.
    """
    named = request.headers.get(HEADER)
    if named is not None and len(named) < SHORTEST:
        raise LabError("owner_too_short", header=HEADER, least=SHORTEST)
    secret = named or cookie(request.headers.get("cookie", ""), COOKIE)
    if not secret:
        secret = getattr(request, "session_hash", None) or secrets.token_urlsafe(32)
    return hashlib.sha256(secret.encode()).hexdigest()[:32]


def cookie(header: str, name: str) -> str:
    """The value of one cookie in a Cookie header; empty when it is not there."""
    jar = http.cookies.SimpleCookie()
    try:
        jar.load(header)
    except http.cookies.CookieError:
        return ""
    return jar[name].value if name in jar else ""


class Visitor:
    """ASGI middleware: a browser that opens a page without our cookie is given one."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not opens_a_page(scope) or self._known(scope):
            await self.app(scope, receive, send)
            return

        async def send_with_cookie(message: Any) -> None:
            if message["type"] == "http.response.start":
                new = (b"set-cookie", _new_cookie(_is_https(scope)).encode())
                message = {**message, "headers": [*message["headers"], new]}
            await send(message)

        await self.app(scope, receive, send_with_cookie)

    def _known(self, scope: Any) -> bool:
        return bool(cookie(header(scope, b"cookie"), COOKIE))


def header(scope: Any, name: bytes) -> str:
    """A request header of an ASGI scope; empty when it is not there."""
    return next((v.decode("latin-1") for k, v in scope["headers"] if k == name), "")


def opens_a_page(scope: Any) -> bool:
    """Whether a person's browser asks for a page (and not a script for its parts)."""
    return scope["method"] == "GET" and "text/html" in header(scope, b"accept")


def _is_https(scope: Any) -> bool:
    return (header(scope, b"x-forwarded-proto") or scope["scheme"]).split(",")[0] == "https"


def _new_cookie(https: bool) -> str:
    """A Space is shown inside a frame of another site: only this kind of cookie lives there."""
    where = "SameSite=Lax"
    if https:
        where = "SameSite=None; Secure; Partitioned" if os.environ.get("SPACE_ID") else where
        where = where if "Secure" in where else f"{where}; Secure"
    return f"{COOKIE}={secrets.token_urlsafe(32)}; Path=/; Max-Age={YEAR}; HttpOnly; {where}"
