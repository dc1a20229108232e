"""What no request may do, and what every answer says to the browser."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from lora_lab.ui.guard import Guard, is_loopback


def client(*, loopback: bool, host: str = "127.0.0.1:7860") -> TestClient:
    def answer(_):
        return PlainTextResponse("done", headers={"content-security-policy": "none"})

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    app.add_middleware(Guard, loopback=loopback)
    return TestClient(app, base_url=f"http://{host}")


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1", "[::1]:7860", "lab.localhost"])
def test_this_machine_is_answered(host):
    assert client(loopback=True, host=host).get("/").text == "done"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.5:7860"])
def test_a_foreign_name_for_this_machine_is_refused(host):
    refused = client(loopback=True, host=host).get("/")
    assert refused.status_code == 403 and "localhost" in refused.text
    assert client(loopback=False, host=host).get("/").status_code == 200


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999"])
def test_another_sites_page_is_refused(method, origin):
    for loopback in (True, False):
        asked = getattr(client(loopback=loopback), method)("/", headers={"origin": origin})
        assert asked.status_code == 403 and "done" not in asked.text


def test_no_upload_fills_the_disk():
    for length, status in ((1000, 200), (10**17, 403)):
        headers = {"content-length": str(length)}
        asked = client(loopback=False).post("/gl/gradio_api/upload", headers=headers)
        assert asked.status_code == status


def test_our_own_page_may_post():
    headers = {"origin": "http://127.0.0.1:7860"}
    assert client(loopback=True).post("/", headers=headers).status_code == 200


def test_a_proxys_name_counts():
    headers = {"origin": "https://me-lab.hf.space", "x-forwarded-host": "me-lab.hf.space"}
    assert client(loopback=False, host="10.0.0.3:7860").post("/", headers=headers).text == "done"


@pytest.mark.parametrize(
    "path", ["/gradio_api/file=http://10.0.0.1/", "/file%3Dhttps://x.example", "/es/FILE=HTTP://x"]
)
def test_the_server_fetches_no_address(path):
    assert client(loopback=False).get(path).status_code == 403


def test_a_refusal_is_read_in_the_readers_language():
    headers = {"accept-language": "gl"}
    assert "iníciao" in client(loopback=True, host="x.example").get("/", headers=headers).text


def test_every_answer_holds_the_browser_to_our_host():
    for path, host in (("/", "127.0.0.1"), ("/", "evil.example")):
        headers = client(loopback=True, host=host).get(path).headers
        policy = headers.get_list("content-security-policy")
        assert len(policy) == 1 and "default-src 'self'" in policy[0]
        assert "http:" not in policy[0] and "*;" not in policy[0]
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name, here", [("127.8.8.8", True), ("::1", True), ("0.0.0.0", False), ("", False)]
)
def test_what_loopback_is(name, here):
    assert is_loopback(name) is here
