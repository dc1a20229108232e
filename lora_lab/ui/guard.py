"""What no request may do, whoever sends it, and the headers that hold a browser to our own host.

Dangers of a program that listens on a port: another site's page that posts to it through the
visitor's browser; a foreign name that is made to point at it (DNS rebinding); a path that makes the
server itself fetch an address; and uploads until the disk is full.
"""

from __future__ import annotations

import ipaddress
import urllib.parse
from typing import Any

from starlette.responses import PlainTextResponse

from lora_lab import words
from lora_lab.ui import uploads
from lora_lab.ui.identity import header

# Gradio compiles its event handlers and templates in the page, hence unsafe-inline and -eval; no
# other host is reachable all the same. A Space shows the page in a frame of huggingface.co.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self' https://huggingface.co https://*.hf.space"
)
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_REPLACED = {name for name, _ in HEADERS}


class Guard:
    """ASGI middleware, the outermost. loopback: only this machine may ask, by its own name."""

    def __init__(self, app: Any, loopback: bool):
        self.app, self.loopback = app, loopback

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal:
            language = words.best_language(header(scope, b"accept-language"))
            answer = PlainTextResponse(words.say(refusal, language), status_code=403)
            await answer(scope, receive, _with_headers(send))
            return
        await self.app(scope, receive, _with_headers(send))

    def _refusal(self, scope: Any) -> str | None:
        """The key of the sentence that says why not; None lets the request through."""
        host = header(scope, b"host")
        if self.loopback and not is_loopback(_name(host)):
            return "refused.host"
        origin = header(scope, b"origin")
        forwarded = header(scope, b"x-forwarded-host")
        if origin and urllib.parse.urlsplit(origin).netloc not in {host, forwarded or host}:
            return "refused.origin"
        if "/file=http" in urllib.parse.unquote(scope["path"]).lower():
            return "refused.address"
        length = header(scope, b"content-length")
        if scope["path"].endswith("/upload") and not uploads.room_for(length):
            return "refused.disk"
        return None


def is_loopback(name: str) -> bool:
    """Whether a host name or address means this very machine."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _name(host: str) -> str:
    return (urllib.parse.urlsplit(f"//{host}").hostname or "").rstrip(".")


def _with_headers(send: Any) -> Any:
    async def send_guarded(message: Any) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message["headers"] if pair[0].lower() not in _REPLACED]
            message = {**message, "headers": [*kept, *HEADERS]}
        await send(message)

    return send_guarded
