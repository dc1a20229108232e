"""A section of the Rank lab looks at its run: anew where something is new, and no more once it is
gone."""

from types import SimpleNamespace

import gradio as gr
import pytest

from lora_lab import lab
from lora_lab.config import Settings
from lora_lab.ui import ranklab
from lora_lab.ui.experimenting import Experimenting
from lora_lab.ui.identity import owner

ANA = SimpleNamespace(headers={"x-lora-lab-owner": "ana's long secret"})


@pytest.fixture
def does():
    with gr.Blocks():
        section = ranklab.lay_out("en", {}).sections["init"]
    return Experimenting(section, SimpleNamespace(language="en"))


@pytest.fixture
def run():
    return lab.start_experiment("init", Settings(steps=2), {}, owner(ANA))


def named(does, told):
    return dict(zip([id(each) for each in does.section.live], told, strict=True))


def test_a_run_is_drawn_once_and_again_when_it_moves(does, run):
    told = named(does, does.look(ANA, run, ""))
    section = does.section
    assert "queued" in told[id(section.standing)]
    assert told[id(section.clock)].active is True
    seen = told[id(section.seen)]
    assert all(value == gr.skip() for value in does.look(ANA, run, seen))
    lab.stop(run, owner(ANA))
    told = named(does, does.look(ANA, run, seen))
    assert told[id(section.resume)]["visible"] and not told[id(section.stop)]["visible"]


def test_a_run_that_was_deleted_elsewhere_is_said_to_be_gone_and_not_asked_for_again(does, run):
    seen = named(does, does.look(ANA, run, ""))[id(does.section.seen)]
    lab.delete(run, owner(ANA))
    told, section = named(does, does.look(ANA, run, seen)), does.section
    assert "There is no run" in told[id(section.standing)]
    assert told[id(section.clock)].active is False
    assert not told[id(section.stop)]["visible"] and not told[id(section.finished)]["visible"]
    assert told[id(section.figure)] == gr.skip(), "what was measured may still be read"
