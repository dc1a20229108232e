"""Fetching from the Hub, through real sockets, with all that can go wrong on the way."""

import json
import os
import signal
import subprocess
import sys

import pytest
import torch

from lora_lab.models import hub as hub_module
from lora_lab.models import landing, loading, measuring, shapes, sources
from tests.expecting import lab_error
from tests.integration.loopback import nobody
from tests.integration.models import stand_in_hub as hubs
from tests.integration.models.conftest import HUB_ID

KEY = "someone--tiny-llama"
WEIGHTS = "model.safetensors"


def is_whole(local, published):
    assert (local.folder / WEIGHTS).read_bytes() == (published / WEIGHTS).read_bytes()
    return loading.base_hash(local.folder) == loading.base_hash(published)


def nothing_landed(home):
    return not (home / "models" / KEY).exists()


def test_a_model_comes_whole_and_says_where_from(hub, published, home):
    told = []
    local = sources.fetch(HUB_ID, told.append)
    assert local == sources.Local(home / "models" / KEY, f"hub:{HUB_ID}@{hubs.COMMIT}", HUB_ID)
    assert is_whole(local, published)
    assert (
        told[-1].done
        == told[-1].total
        == sum(len(body) for name, body in hub.models[HUB_ID].items())
    )
    model, _ = loading.load(local, torch.float32)
    assert loading.base_hash(model)


def test_the_second_time_nothing_is_asked(hub):
    first = sources.fetch(HUB_ID)
    hub.asked.clear()
    assert sources.fetch(HUB_ID) == first and sources.is_here(HUB_ID)
    assert hub.asked == []


def test_only_weights_config_and_tokenizer_are_fetched(hub):
    extra = ["pytorch_model.bin", "modeling_evil.py", "README.md", "onnx/model.onnx", "x.json"]
    hub.models[HUB_ID] |= {name: b"no" for name in extra}
    sources.fetch(HUB_ID)
    assert not set(hub.files_asked()) & {name.rpartition("/")[2] for name in extra}


def test_a_file_cut_short_goes_on_from_where_it_stopped(hub, published):
    hub.faults[WEIGHTS] = [hubs.cut_short, hubs.cut_short]
    assert is_whole(sources.fetch(HUB_ID), published)
    ranges = [span for path, span in hub.asked if path.endswith(WEIGHTS)]
    assert ranges[0] is None and all(ranges[1:]) and len(ranges) == 3


@pytest.mark.parametrize("fault", [hubs.altered, hubs.longer])
@pytest.mark.parametrize("file", [WEIGHTS, "tokenizer.json", "config.json"])
def test_a_file_with_the_wrong_bytes_is_fetched_again(hub, published, fault, file):
    hub.faults[file] = [fault, fault]
    assert is_whole(sources.fetch(HUB_ID), published)
    assert hub.files_asked().count(file) == 3


def test_a_file_wrong_three_times_is_said_and_never_used(hub, home, published):
    hub.faults[WEIGHTS] = [hubs.altered] * 3
    with lab_error("download_broken", file=WEIGHTS):
        sources.fetch(HUB_ID)
    assert nothing_landed(home) and not sources.is_here(HUB_ID)
    assert not (home / "models" / f"{KEY}.partial" / WEIGHTS).exists()
    assert is_whole(sources.fetch(HUB_ID), published)


def test_a_line_that_dies_three_times_is_said_and_the_next_try_goes_on(hub, home, published):
    hub.faults[WEIGHTS] = [hubs.cut_short] * 3
    with lab_error("hub_unreachable"):
        sources.fetch(HUB_ID)
    assert nothing_landed(home)
    hub.asked.clear()
    assert is_whole(sources.fetch(HUB_ID), published)
    assert [span for path, span in hub.asked if path.endswith(WEIGHTS)] != [None]


def test_a_hub_that_is_busy_is_asked_again(hub, published):
    hub.faults["/main"] = [hubs.status(503), hubs.status(429)]
    hub.faults[WEIGHTS] = [hubs.status(500), hubs.status(503)]
    assert is_whole(sources.fetch(HUB_ID), published)


@pytest.mark.parametrize("path", ["/main", WEIGHTS])
def test_a_hub_that_stays_broken_is_said(hub, home, path):
    hub.faults[path] = [hubs.status(503)] * 3
    with lab_error("hub_failed"):
        sources.fetch(HUB_ID)
    assert nothing_landed(home)


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        (WEIGHTS, hubs.status(401, "GatedRepo")),
        (WEIGHTS, hubs.status(403, "GatedRepo")),
        (WEIGHTS, hubs.status(403)),
        ("/main", hubs.status(403)),
    ],
)
def test_a_gated_model_is_said_at_once(hub, home, path, fault):
    hub.faults[path] = [fault]
    with lab_error("gated"):
        sources.fetch(HUB_ID)
    assert nothing_landed(home) and hub.faults[path] == []


@pytest.mark.parametrize("fault", [hubs.status(404, "RepoNotFound"), hubs.status(404)])
def test_an_unknown_id_is_said(hub, fault):
    with lab_error("unknown_on_hub"):
        sources.fetch("someone/nothing-here")
    hub.faults["/main"] = [fault]
    with lab_error("unknown_on_hub"):
        sources.fetch("someone/nothing-here")


def test_nobody_listening_is_said(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", nobody())
    with lab_error("hub_unreachable"):
        sources.fetch(HUB_ID)


def test_a_hub_that_never_answers_is_given_up(hub, monkeypatch):
    monkeypatch.setattr(hub_module, "LISTING_S", 0.5)
    hub.faults["/main"] = [hubs.stall]
    with lab_error("hub_unreachable"):
        sources.fetch(HUB_ID)


def test_a_network_that_answers_for_the_hub_is_not_believed(hub):
    hub.faults["/main"] = [hubs.portal]
    with lab_error("hub_unreachable"):
        sources.fetch(HUB_ID)


def test_offline_asks_nobody(hub, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with lab_error("hub_offline"):
        sources.fetch(HUB_ID)
    assert hub.asked == []


def test_a_stalled_file_is_asked_for_again(hub, published, monkeypatch):
    monkeypatch.setattr(hub_module, "READ_S", 0.3)
    hub.faults[WEIGHTS] = [hubs.stall]
    assert is_whole(sources.fetch(HUB_ID), published)


def test_a_slow_download_tells_how_long_is_left(hub):
    hub.faults[WEIGHTS] = [hubs.slow]
    told = []
    sources.fetch(HUB_ID, told.append)
    guesses = [p for p in told if p.seconds_left is not None]
    assert len(guesses) >= 3
    assert [p.done for p in told] == sorted(p.done for p in told)
    assert 0 < guesses[len(guesses) // 2].seconds_left < 10


def test_pickle_alone_is_refused_and_not_fetched(hub):
    files = hub.models[HUB_ID]
    files["pytorch_model.bin"] = files.pop(WEIGHTS)
    with lab_error("pickle_only"):
        sources.fetch(HUB_ID)
    assert hub.files_asked() == []


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"model_type": "vit"}, "unsupported_architecture"),
        ({"model_type": "odd", "auto_map": {"AutoModel": "x.Y"}}, "needs_remote_code"),
        ({"model_type": "llama", "quantization_config": {}}, "quantised_weights"),
    ],
)
def test_what_cannot_be_used_is_refused_before_its_weights(hub, config, key):
    hub.models[HUB_ID]["config.json"] = json.dumps(config).encode()
    with lab_error(key):
        sources.fetch(HUB_ID)
    assert hub.files_asked() == ["config.json"]


def test_no_room_on_the_disk_is_said_before_the_weights(hub, monkeypatch):
    usage = type("Usage", (), {"free": 10_000})
    monkeypatch.setattr(landing.shutil, "disk_usage", lambda _: usage)
    with lab_error("not_enough_disk"):
        sources.fetch(HUB_ID)
    assert WEIGHTS not in hub.files_asked()


def test_a_model_in_parts_comes_with_all_of_them(hub, tmp_path, published):
    model, _ = loading.load(sources.fetch(str(published)), torch.float32)
    model.save_pretrained(tmp_path / "parts", max_shard_size="60kB")
    parts = {file.name: file.read_bytes() for file in (tmp_path / "parts").iterdir()}
    files = hub.models[HUB_ID]
    del files[WEIGHTS]
    files |= parts | {"model-00009-of-00009.safetensors": b"from an older upload"}
    local = sources.fetch(HUB_ID)
    assert len(list(local.folder.glob("*.safetensors"))) > 1
    assert loading.base_hash(local.folder) == loading.base_hash(published)
    assert not (local.folder / "model-00009-of-00009.safetensors").exists()


def test_shapes_of_a_model_on_the_hub_take_its_config_alone(hub, published):
    found = measuring.describe(HUB_ID)
    assert found == measuring.measure(published) == shapes.shapes(HUB_ID)
    assert hub.files_asked() == ["config.json"]


def test_stopping_a_download_leaves_nothing_half_used(hub, home, published):
    class StopError(Exception):
        pass

    def stop(_):
        raise StopError

    with pytest.raises(StopError):
        sources.fetch(HUB_ID, stop)
    assert nothing_landed(home)
    assert is_whole(sources.fetch(HUB_ID), published)


FETCH = f"from lora_lab.models import sources; print(sources.fetch({HUB_ID!r}).source)"


def fetching():
    return subprocess.Popen(
        [sys.executable, "-c", FETCH],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_two_processes_fetch_it_once(hub):
    hub.faults[WEIGHTS] = [hubs.slow]
    both = [fetching(), fetching()]
    for process in both:
        said, wrong = process.communicate(timeout=120)
        assert (said.strip(), process.returncode) == (f"hub:{HUB_ID}@{hubs.COMMIT}", 0), wrong
    assert hub.files_asked().count(WEIGHTS) == 1


def test_a_download_killed_half_way_goes_on_in_the_next_process(hub, home, published):
    hub.faults[WEIGHTS] = [hubs.stall]
    process = fetching()
    assert hub.stalled.wait(60)
    partial = home / "models" / f"{KEY}.partial" / WEIGHTS
    while not (partial.exists() and partial.stat().st_size):
        assert not hub.released.wait(0.05) and process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert nothing_landed(home)
    assert is_whole(sources.fetch(HUB_ID), published)
    assert [span for path, span in hub.asked if path.endswith(WEIGHTS)][-1]
