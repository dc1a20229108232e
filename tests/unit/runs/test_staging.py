"""What is half made: seen by nobody, and swept only where nobody is at it any more."""

import subprocess
import sys

import pytest

from lora_lab.runs import staging

WRITE = """
import sys, pathlib
from lora_lab.runs import staging
with staging.making(pathlib.Path(sys.argv[1])) as place:
    (place / "half").write_text("written")
    print(place.name, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def writer(tmp_path):
    """Starts another process that is writing: (process, the folder it writes in)."""
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", WRITE, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, tmp_path / process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_what_is_made_moves_out_whole_and_leaves_nothing(tmp_path):
    with staging.making(tmp_path / "new") as place:
        (place / "a").write_text("a")
        place.rename(tmp_path / "new" / "here")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["here"]
    with pytest.raises(ZeroDivisionError), staging.making(tmp_path / "new") as place:
        (place / "b").write_text("b")
        raise ZeroDivisionError
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["here"]


def test_what_a_killed_process_left_goes_and_what_is_being_written_stays(tmp_path, writer):
    (dead, left), (alive, being_written) = writer(), writer()
    dead.kill()
    dead.communicate()
    (tmp_path / ".deleted-1" / "model").mkdir(parents=True)
    (tmp_path / "mine").mkdir()
    staging.sweep(tmp_path)
    assert not left.exists() and (being_written / "half").exists()
    alive.communicate()
    assert alive.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    staging.sweep(tmp_path / "nowhere")


def test_what_two_take_away_at_once_goes_once(tmp_path):
    (tmp_path / "mine" / "deep").mkdir(parents=True)
    staging.take_away(tmp_path / "mine")
    with pytest.raises(FileNotFoundError):
        staging.take_away(tmp_path / "mine")
    assert not list(tmp_path.iterdir())
