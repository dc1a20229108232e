"""One person a browser: unguessable, apart, and not to be read from a run folder."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from lora_lab.ui.identity import COOKIE, HEADER, Visitor, owner
from tests.expecting import lab_error

PAGE = {"accept": "text/html"}


@pytest.fixture
def client() -> TestClient:
    app = Starlette(
        routes=[Route("/{path:path}", lambda request: PlainTextResponse(owner(request)))]
    )
    app.add_middleware(Visitor)
    return TestClient(app)


def test_a_browser_is_given_a_cookie_once_and_keeps_its_name(client):
    first = client.get("/", headers=PAGE)
    again = client.get("/", headers=PAGE)
    assert COOKIE in first.cookies and "set-cookie" not in again.headers
    assert again.text == client.get("/gradio_api/info").text


def test_two_browsers_are_two_people(client):
    secrets = set()
    for _ in range(3):
        client.cookies.clear()
        secrets.add(client.get("/", headers=PAGE).cookies[COOKIE])
    assert len(secrets) == 3
    assert all(len(secret) >= 43 for secret in secrets)  # 256 bits


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client):
    told = client.get("/", headers=PAGE).headers["set-cookie"]
    assert "HttpOnly" in told and "SameSite=Lax" in told and "Secure" not in told


def test_on_a_space_the_cookie_lives_in_the_frame(client, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/lab")
    told = client.get("/", headers={**PAGE, "x-forwarded-proto": "https"}).headers["set-cookie"]
    assert all(part in told for part in ("SameSite=None", "Secure", "Partitioned", "HttpOnly"))


def test_scripts_and_files_set_no_cookie(client):
    assert "set-cookie" not in client.get("/assets/x.js").headers
    assert "set-cookie" not in client.post("/gradio_api/run/x", headers=PAGE).headers


def test_the_owner_does_not_tell_the_secret(client):
    secret = client.get("/", headers=PAGE).cookies[COOKIE]
    told = client.get("/").text
    assert re.fullmatch("[0-9a-f]{32}", told) and secret not in told


def request(headers: dict[str, str], session: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(headers=headers, session_hash=session)


def test_a_program_names_itself():
    mine, other = (owner(request({HEADER: name * 16})) for name in "ab")
    assert mine != other and mine == owner(request({HEADER: "a" * 16}, "session"))


def test_a_client_with_neither_is_its_session():
    assert owner(request({}, "one")) == owner(request({}, "one")) != owner(request({}, "two"))


def test_a_name_that_can_be_guessed_is_refused():
    with lab_error("owner_too_short"):
        owner(request({HEADER: "alice"}))


@pytest.mark.parametrize("broken", ["=;=;", "\x00", COOKIE, f"{COOKIE}=", "a" * 100_000])
def test_a_broken_cookie_is_nobodys(broken):
    assert owner(request({"cookie": broken}, "s")) == owner(request({}, "s"))
