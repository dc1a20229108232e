"""A lab of its own for these tests: the real server in its own process, a home of its own, a tiny
random model, and a real Chromium."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from gradio_client import Client
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from lora_lab.runs.folder import ALIVE, Run
from lora_lab.ui.identity import HEADER
from tests import tiny_models

CHROMIUM = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ROOT = Path(__file__).parents[2]
# Milliseconds in which something must move. No test is timed: a busy machine may need most of it.
WAIT = 90_000
expect.set_options(timeout=WAIT)


@dataclass
class Lab:
    """A running server. model: the folder of a tiny model; url ends in a slash."""

    url: str
    home: Path
    model: Path

    def at(self, path: str = "", **settings: object) -> str:
        """The address of a page with these settings, on the tiny model."""
        told = {"model": self.model, "max_length": 48, "steps": 60, "evaluate_every": 10}
        told |= {"precision": "float32", "threads": 1} | settings
        return f"{self.url}{path}?" + "&".join(f"{name}={value}" for name, value in told.items())

    def client(self, secret: str = "a secret of my own") -> Client:
        """A program's way in, which waits as long as it takes."""
        headers, patient = {HEADER: secret}, {"timeout": None}
        return Client(self.url, headers=headers, httpx_kwargs=patient, verbose=False)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    home = tmp_path_factory.mktemp("home")
    model = tmp_path_factory.mktemp("models") / "tiny"
    tiny_models.save("llama", model)
    with serving(home) as url:
        lab = Lab(url, home, model)
        # The first call waits for the warm process's imports, and so no test has to.
        lab.client().predict({"model": str(model)}, api_name="/count")
        yield lab


class serving:  # noqa: N801 - reads as the context it is
    """A server on a free loopback port, as a person starts it; its address."""

    program: tuple[str, ...] = ("app.py",)

    def __init__(self, home: Path, *flags: str, **environment: str):
        self.environment = {**os.environ, "LORA_LAB_HOME": str(home), **environment}
        self.flags = flags

    def __enter__(self) -> str:
        self.process = subprocess.Popen(
            [sys.executable, *self.program, *self.flags],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        told = self.process.stdout.readline()
        found = re.search(r"http://\S+/", told)
        assert found, told
        return found[0]

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(WAIT / 1000)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    # Debian's browser where there is one, else the one that playwright brought.
    chromium = Path("/usr/bin/chromium")
    path = str(chromium) if chromium.exists() else None
    browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM)
    yield browser
    browser.close()


@dataclass
class Watched:
    """What went wrong in a page while a test looked at it."""

    page: Page
    complaints: list[str]


@pytest.fixture
def person(browser: Browser, lab: Lab) -> Iterator[Callable[..., Page]]:
    """A new browser profile: somebody else. At the end, nobody's page may have complained."""
    opened: list[Watched] = []

    def make(**wishes: object) -> Page:
        context = browser.new_context(**{"locale": "en-US", **wishes})  # type: ignore[arg-type]
        context.set_default_timeout(WAIT)
        page = context.new_page()
        watched = Watched(page, [])
        opened.append(watched)
        page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        page.on("dialog", lambda dialog: watched.complaints.append(f"dialog {dialog.message}"))
        page.on("request", lambda request: _stays_home(request.url, lab.url, watched.complaints))
        return page

    yield make
    for watched in opened:
        watched.page.context.close()
    _stop_what_goes_on(lab.home)
    assert [watched.complaints for watched in opened] == [[] for _ in opened]


def _stop_what_goes_on(home: Path) -> None:
    """A test that failed half way leaves no run for which those after it would wait."""
    for run in map(Run, (home / "runs").glob("*")):
        state = run.status()["state"]
        if state in ALIVE:
            run.ask_to_stop()
        if state == "queued":
            run.set_status("stopped")


def _stays_home(url: str, home: str, complaints: list[str]) -> None:
    if not url.startswith((home, "data:", "blob:")):
        complaints.append(f"another host was asked: {url}")


@pytest.fixture
def stories(tmp_path: Path) -> Path:
    """A CSV as a person would upload it: forty short documents in a column."""
    path = tmp_path / "my stories.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text"])
        for i in range(40):
            writer.writerow([f"Once upon a time there was boat number {i}. It dreamt of the sea."])
    return path
