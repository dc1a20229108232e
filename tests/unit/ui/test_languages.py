"""Each language at its path; who comes first is led to their own."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from lora_lab.ui.languages import COOKIE, LanguageChoice, switch
from lora_lab.words import LANGUAGES

PAGE = {"accept": "text/html"}


@pytest.fixture
def client() -> TestClient:
    routes = [Route("/{path:path}", lambda request: PlainTextResponse(request.url.path))]
    app = Starlette(routes=routes)
    app.add_middleware(LanguageChoice)
    return TestClient(app)


@pytest.mark.parametrize(
    "wish, place",
    [("gl-ES,gl;q=0.9,es;q=0.8,en;q=0.5", "/gl/"), ("es", "/es/"), ("pt,en;q=0.1", "/"), ("", "/")],
)
def test_the_first_visit_goes_by_the_browsers_wish(client, wish, place):
    assert client.get("/", headers={**PAGE, "accept-language": wish}).url.path == place


def test_a_stored_choice_wins(client):
    client.cookies.set(COOKIE, "en")
    assert client.get("/", headers={**PAGE, "accept-language": "gl"}).url.path == "/"
    client.cookies.set(COOKIE, "es")
    assert client.get("/", headers={**PAGE, "accept-language": "gl"}).url.path == "/es/"


def test_the_settings_come_along(client):
    headers = {**PAGE, "accept-language": "gl"}
    assert client.get("/?rank=3&run=x", headers=headers).url.query == b"rank=3&run=x"
    assert client.get("/es?rank=3", headers=PAGE).url.path == "/es/"


def test_programs_are_left_where_they_are(client):
    assert client.get("/", headers={"accept-language": "gl"}).url.path == "/"
    assert client.get("/config", headers={**PAGE, "accept-language": "gl"}).url.path == "/config"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_switch_names_every_language_and_marks_this_one(language):
    told = switch(language)
    assert all(f'data-language="{code}"' in told for code in LANGUAGES)
    assert told.count("aria-current") == 1
    assert f'data-language="{language}"' in told.split("aria-current")[0].rsplit("<a", 1)[1]
