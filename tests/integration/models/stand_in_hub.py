"""A stand-in for the Hugging Face Hub on the loopback, with its real routes and its real faults.

GET /api/models/<owner>/<name>/revision/<revision>?blobs=true    what is there: sizes and hashes
GET /<owner>/<name>/resolve/<commit>/<file>                       a file, whole or by Range
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
Fault = Callable[["Handler", bytes], None]


class Hub(ThreadingHTTPServer):
    """models: id -> its files; faults: path's end -> what to do instead, one a request."""

    daemon_threads = True

    def __init__(self, handler: type[Handler] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), handler or Handler)
        self.models: dict[str, dict[str, bytes]] = {}
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.asked: list[tuple[str, str | None]] = []  # path, Range
        self.stalled, self.released = threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def publish(self, hub_id: str, folder: Path) -> None:
        self.models[hub_id] = {file.name: file.read_bytes() for file in folder.iterdir()}

    def server_close(self) -> None:
        self.released.set()
        super().server_close()

    def files_asked(self) -> list[str]:
        return [path.rpartition("/")[2] for path, _ in self.asked if "/resolve/" in path]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append((path, self.headers["Range"]))
        body = self._body(path)
        for end, faults in self.server.faults.items():
            if faults and path.endswith(end):
                faults.pop(0)(self, body or b"")
                return
        if body is None:
            self.say(401, b"", {"X-Error-Code": "RepoNotFound"})
        else:
            self.give(body)

    def give(self, body: bytes) -> None:
        """The body, or the part that is asked for."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if not asked:
            return self.say(200, body)
        start = int(asked[1])
        place = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        return self.say(206, body[start:], place)

    def say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.begin(status, len(body), headers)
        self.wfile.write(body)

    def begin(self, status: int, length: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def _body(self, path: str) -> bytes | None:
        if listed := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/main", path):
            files = self.server.models.get(listed[1])
            return None if files is None else json.dumps(_listing(listed[1], files)).encode()
        if resolved := re.fullmatch(rf"/([^/]+/[^/]+)/resolve/{COMMIT}/(.+)", path):
            return self.server.models.get(resolved[1], {}).get(resolved[2])
        return None

    def log_message(self, *_: object) -> None:
        pass


def _listing(hub_id: str, files: dict[str, bytes]) -> dict[str, object]:
    siblings = []
    for name, body in files.items():
        sibling = {"rfilename": name, "size": len(body), "blobId": _git_sha1(body)}
        if name.endswith(".safetensors"):
            digest = hashlib.sha256(body).hexdigest()
            sibling["lfs"] = {"sha256": digest, "size": len(body), "pointerSize": 134}
        siblings.append(sibling)
    return {"_id": "1", "id": hub_id, "modelId": hub_id, "sha": COMMIT, "siblings": siblings}


def _git_sha1(body: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


# The faults


def cut_short(handler: Handler, body: bytes) -> None:
    """Half of what is due, then the line goes dead."""
    start = int((handler.headers["Range"] or "bytes=0-")[6:-1])
    due = body[start:]
    handler.begin(206 if start else 200, len(due))
    handler.wfile.write(due[: len(due) // 2])
    handler.close_connection = True


def altered(handler: Handler, body: bytes) -> None:
    """The right length and the wrong bytes."""
    handler.give(body[:-1] + bytes([body[-1] ^ 1]))


def longer(handler: Handler, body: bytes) -> None:
    handler.say(200, body + b"more")


def status(code: int, error: str = "") -> Fault:
    return lambda handler, _: handler.say(code, b"", {"X-Error-Code": error} if error else {})


def portal(handler: Handler, _: bytes) -> None:
    """What a network that wants a login answers for everybody."""
    handler.say(200, b"<html>Log in to the school's network</html>")


def stall(handler: Handler, body: bytes) -> None:
    """A third of the body, and then nothing until the test is over."""
    handler.begin(200, len(body))
    handler.wfile.write(body[: len(body) // 3])
    handler.wfile.flush()
    handler.server.stalled.set()
    handler.server.released.wait(60)
    handler.close_connection = True


def slow(handler: Handler, body: bytes) -> None:
    """Ten pieces, three a second at most."""
    handler.begin(200, len(body))
    for start in range(0, len(body), len(body) // 10):
        handler.wfile.write(body[start : start + len(body) // 10])
        handler.wfile.flush()
        handler.server.released.wait(0.3)
