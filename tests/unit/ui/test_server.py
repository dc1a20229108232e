"""Where the server listens, and what it says when it cannot."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from lora_lab.ui import server
from tests.expecting import lab_error


def test_a_taken_usual_port_gives_way_to_the_next_free_one(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(server, "PORT", taken.getsockname()[1])
        with server.listen("127.0.0.1", 0) as found:
            assert found.getsockname()[1] > taken.getsockname()[1]


def test_a_port_that_was_asked_for_and_is_taken_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken, lab_error("port_taken"):
        server.listen("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize("host", ["192.0.2.1", "256.1.1.1"])
def test_a_host_that_is_not_ours_is_told(host):
    with lab_error("cannot_listen"):
        server.listen(host, 0)


def test_a_space_is_open_to_its_visitors_and_a_laptop_to_itself(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert server.usual_host() == "127.0.0.1"
    monkeypatch.setenv("SPACE_ID", "someone/lab")
    assert server.usual_host() == "0.0.0.0"


def test_the_pages_process_imports_nothing_heavy():
    heavy = "torch transformers datasets peft matplotlib"
    code = f"import sys, lora_lab.ui.server; print(*set(sys.modules) & set('{heavy}'.split()))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == ""
