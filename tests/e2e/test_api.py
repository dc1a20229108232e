"""gradio_client drives the lab by its named endpoints."""

from __future__ import annotations

import re

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError


def finished(program: Client, run: str) -> dict:
    while True:
        told = program.predict(run, 0, api_name="/run")
        if told["state"] not in ("queued", "running"):
            return told


def test_a_program_counts_trains_watches_and_compares(lab, stories):
    program = lab.client()
    asked = {"model": "smollm2-135m-instruct", "rank": 8, "targets": "attention-qv"}
    count = program.predict(asked, api_name="/count")
    assert count["trainable"] == 460_800

    settings = {"model": str(lab.model), "steps": 20, "max_length": 48, "threads": 1}
    # A model in no table: its shapes are read on the way.
    run = program.predict(settings, handle_file(stories), api_name="/train")["run"]
    told = finished(program, run)
    assert told["state"] == "done" and told["data"]["name"] == "my stories.csv"
    assert "owner" not in told
    steps = [event["step"] for event in told["events"] if event["kind"] == "train"]
    assert steps[0] == 1 and steps[-1] == 20

    sampling = {"max_new_tokens": 4, "temperature": 0}
    job = program.submit([[run, 1.0]], ["Once upon"], sampling, api_name="/compare")
    job.result()
    kinds = [event["kind"] for event in job.outputs()]
    assert "pieces" in kinds and kinds[-1] == "end"

    stranger = lab.client("some other secret")
    with pytest.raises(AppError, match="no run"):
        stranger.predict(run, 0, api_name="/run")


def test_a_program_races_ranks(lab):
    program = lab.client()
    settings = {"model": str(lab.model), "steps": 5, "max_length": 48, "threads": 1}
    run = program.predict("race", settings, {"ranks": [1, 4]}, "one", api_name="/race")["run"]
    assert finished(program, run)["state"] == "done"
    told = program.predict(run, api_name="/standings")
    assert [group["label"] for group in told["groups"]] == ["1", "4"]
    assert "owner" not in told and told["smallest"]["pirate-stories"]["best"] in (1, 4)
    with pytest.raises(AppError, match="not understand"):
        program.predict("poker", settings, {}, "one", api_name="/race")
    with pytest.raises(AppError):
        choices = {"datasets": ["/etc/passwd"], "ranks": [1]}
        program.predict("race", settings, choices, "one", api_name="/race")


@pytest.mark.parametrize(
    "settings", [{"rank": "many"}, {"steps": 0}, {"surprise": 1}, {"data": "/etc/passwd"}]
)
def test_a_wrong_call_is_told_in_words(lab, settings):
    with pytest.raises(AppError) as told:
        lab.client().predict({"steps": 5, **settings}, None, api_name="/train")
    assert "Traceback" not in str(told.value) and len(str(told.value)) > 20


@pytest.mark.parametrize(
    ("api_name", "inputs"),
    [
        ("/count", [[1]]),
        ("/count", [{"model": 5}]),
        ("/train", [{"targets": ["q_proj"]}, None]),
        ("/train", [{"model": "\0"}, None]),
        ("/train", [{"model": "../../etc"}, None]),
        ("/run", ["../../runs", 0]),
        ("/run", ["x" * 10_000, 0]),
        ("/run", [["x"], 0]),
        ("/run", ["x", "y"]),
        ("/compare", ["x", ["y"], {}]),
        ("/compare", [[["x"]], ["y"], {}]),
        ("/compare", [[["x", "strong"]], ["y"], {}]),
        ("/compare", [[["x", 1.0]], ["y"], {"surprise": 1}]),
        ("/race", ["race", {}, [1], "own"]),
        ("/race", ["race", {}, {"datasets": 5}, "own"]),
        ("/race", ["race", {}, {"datasets": [["x"]]}, "own"]),
        ("/race", ["race", {}, {"ranks": [1]}, {}]),
        ("/race", [{}, {}, {}, "own"]),
        ("/race", ["race", {"steps": 100_000}, {"ranks": [1, 2]}, "one"]),
        ("/standings", [{}]),
    ],
)
def test_whatever_a_program_sends_is_told_in_words(lab, api_name, inputs):
    with pytest.raises(AppError) as told:
        lab.client().predict(*inputs, api_name=api_name)
    assert not re.search("Traceback|does not know|Error:", str(told.value))


def test_no_file_of_the_machine_can_be_named(lab):
    with pytest.raises(AppError):
        file = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
        lab.client().predict({"steps": 5}, file, api_name="/train")
