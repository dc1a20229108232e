"""The stand-in Hub with what an upload asks of it: its routes, its token, its refusals.

POST /api/repos/create                       POST /api/validate-yaml
POST /api/models/<id>/preupload/main         which files go inline: all of them
POST /api/models/<id>/commit/main            the files themselves, a JSON object a line
"""

from __future__ import annotations

import base64
import json
import re

from tests.integration.models.stand_in_hub import COMMIT, Handler, Hub

TOKEN = "hf_the_right_one"


class Pushed(Hub):
    """private: id -> whether its repository was made private."""

    def __init__(self) -> None:
        super().__init__(PushHandler)
        self.private: dict[str, bool] = {}


class PushHandler(Handler):
    server: Pushed

    def do_POST(self) -> None:  # noqa: N802 (http.server's name)
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        path = self.path.partition("?")[0]
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self.say(401, b'{"error": "Invalid token"}')
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if asked := re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit)/main", path):
            hub_id, what = asked.groups()
            return self._preupload(body) if what == "preupload" else self._commit(hub_id, body)
        return self.say(404, b"")

    def _create(self, told: dict) -> None:
        hub_id = (
            f"{told['organization']}/{told['name']}" if "organization" in told else told["name"]
        )
        if not hub_id.startswith("someone/"):
            return self.say(403, b'{"error": "not yours"}')
        private = told.get("private") or told.get("visibility") == "private"
        self.server.private.setdefault(hub_id, bool(private))
        self.server.models.setdefault(hub_id, {})
        return self._json({"url": f"{self.server.url}/{hub_id}", "name": hub_id, "id": "1"})

    def _preupload(self, body: bytes) -> None:
        files = [
            {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
            for file in json.loads(body)["files"]
        ]
        self._json({"files": files})

    def _commit(self, hub_id: str, body: bytes) -> None:
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                value = line["value"]
                self.server.models[hub_id][value["path"]] = base64.b64decode(value["content"])
        told = {"success": True, "commitOid": COMMIT, "commitUrl": f"{self.server.url}/{hub_id}"}
        self._json({**told, "hookOutput": ""})

    def _json(self, told: dict) -> None:
        self.say(200, json.dumps(told).encode(), {"Content-Type": "application/json"})
