import pytest

from lora_lab.models import landing
from tests.expecting import lab_error


@pytest.fixture
def landed():
    folder = landing.partial("m")
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"12345678")
    return landing.land("m", folder, "hub:a/b@1")


def test_what_landed_is_found_with_its_source(landed, home):
    assert landed == home / "models" / "m"
    assert landing.cached("m") == (landed, "hub:a/b@1")
    assert not (home / "models" / "m.partial").exists()


def test_what_is_still_on_its_way_is_not_there(home):
    (landing.partial("m") / "model.safetensors").write_bytes(b"1234")
    assert landing.cached("m") is None


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / "model.safetensors").write_bytes(b"1234"),
        lambda folder: (folder / "config.json").unlink(),
        lambda folder: (folder / "source.json").write_text("{"),
        lambda folder: (folder / "source.json").write_text("{}"),
        lambda folder: (folder / "source.json").unlink(),
    ],
)
def test_a_damaged_model_is_not_used_and_makes_way(landed, harm):
    harm(landed)
    assert landing.cached("m") is None
    folder = landing.partial("m")
    (folder / "config.json").write_text("{}")
    landing.land("m", folder, "hub:a/b@2")
    assert landing.cached("m") == (landed, "hub:a/b@2")


def test_a_disk_too_small_is_said_before_the_download():
    landing.check_room(1, "m")
    with lab_error("not_enough_disk"):
        landing.check_room(1 << 60, "m")


def test_the_meter_tells_bytes_and_seconds_left(monkeypatch):
    told, now = [], [100.0]
    monkeypatch.setattr(landing.time, "monotonic", lambda: now[0])
    meter = landing.Meter(told.append, 1000)
    for seconds, done in [(0, 0), (9, 200), (11, 400), (13, 600), (13.1, 620), (15, 1000)]:
        now[0] = 100.0 + seconds
        meter.at(done)
    # Nine seconds of silence at the start do not count; from then on, 100 bytes a second.
    assert [(p.done, p.seconds_left) for p in told] == [
        (0, None), (200, None), (400, 6.0), (600, 4.0), (1000, 0.0),
    ]  # fmt: skip
    assert {(p.phase, p.total) for p in told} == {("fetching", 1000)}
