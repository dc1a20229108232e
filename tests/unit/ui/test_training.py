"""What the Train tab understands of what is set, and what it refuses."""

from __future__ import annotations

import html
from functools import cache
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from lora_lab import lab
from lora_lab.config import METHODS, Settings, from_json
from lora_lab.runs.warm import Warm
from lora_lab.ui import form, page, train
from lora_lab.ui.facts import differing
from lora_lab.ui.training import Training, sample_choices
from lora_lab.ui.watching import Watching, as_asked
from lora_lab.words import LANGUAGES, say
from tests.expecting import lab_error


@cache
def training(language: str = "en", *, loopback: bool = True) -> Training:
    """The handlers of a laid-out tab, which keep nothing of a call."""
    with gr.Blocks():
        samples = sample_choices(lab.sample_datasets(), language)
        tab = train.lay_out(language, page.model_choices(), samples)
    return Training(tab, language, Warm("lora_lab.lab", lab.HEAVY), loopback=loopback)


def values(does: Training, **told: Any) -> list[Any]:
    shown = {**form.defaults(), "other": "", **told}
    return [shown[name] for name in does.tab.form.names]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_each_language_is_built(language):
    demo, names = page.build(language, Warm("lora_lab.lab", lab.HEAVY), loopback=True)
    assert set(names) == {*form.FIELDS, "other"}
    named = {f.api_name for f in demo.fns.values() if f.api_visibility == "public"}
    assert named == {"count", "train", "run", "compare", "race", "standings"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("method", METHODS)
def test_figures_and_drawing_follow_the_method(method, language):
    does = training(language)
    facts, picture, *_ = does.numbers("", *values(does, method=method, prefix_tokens=16))
    assert ("<svg" in picture) == (method in form.OF_MATRICES)
    if method != "lora":
        said = say(f"drawing.{method}", language, rows=128, tokens=16, layers=6, total=1_541_760)
        assert html.escape(said) in picture
    assert say("facts.model_file", language) in facts or method != "full"


@pytest.mark.parametrize("language", LANGUAGES)
def test_figures_and_drawing_follow_the_rank(language):
    does = training(language)
    small, large = (does.numbers("", *values(does, rank=rank)) for rank in (4, 8))
    assert small[0] != large[0] and small[1] != large[1]
    assert "svg" in large[1] and "<dl" in large[0]


@pytest.mark.parametrize("model", [m["name"] for m in lab.models()])
@pytest.mark.parametrize("targets", ["attention-qv", "attention", "linear"])
def test_every_catalogue_model_has_its_figures(model, targets):
    does = training()
    facts, drawing, card, _ = does.numbers("", *values(does, model=model, targets=targets))
    assert "…" not in facts and "svg" in drawing and "parameters" in card


def test_a_model_nobody_measured_shows_no_figures_yet():
    does = training()
    facts, drawing, *_ = does.numbers("", *values(does, model=form.OTHER, other="me/mine"))
    assert "…" in facts and drawing == ""


@pytest.mark.parametrize("place", ["/etc", "~/models", "./x", "..", "C:\\models", "\\\\host\\x"])
def test_a_shared_lab_names_no_places_of_its_machine(place):
    with lab_error("local_path_on_shared_server"):
        does = training(loopback=False)
        does.settings(tuple(values(does, model=form.OTHER, other=place)))
    does = training()
    assert does.settings(tuple(values(does, model=form.OTHER, other=place))).model == place


def test_data_is_a_sample_or_an_upload_and_no_path_of_the_machine():
    does = training()
    wanted = does.settings(tuple(values(does, data="/etc/passwd")))
    with lab_error("not_a_sample"):
        does.source(wanted, "")
    with lab_error("no_file_uploaded"):
        does.source(does.settings(tuple(values(does, data=form.UPLOAD))), '{"path":"/etc/passwd"}')


def test_a_faulty_address_opens_the_defaults_with_the_reason():
    does = training("gl")
    request = SimpleNamespace(query_params={"rank": "x"}, headers={}, session_hash="s")
    *shown, run, uploaded, _, card = Watching(does.tab, does).open(request, "nonsense")
    told = dict(zip(does.tab.form.names, shown, strict=True))
    assert told["rank"]["value"] == form.FIELDS["rank"].default
    assert 'role="alert"' in card and run == uploaded == ""


def test_a_link_to_a_run_of_somebody_else_fills_in_its_settings():
    does = training()
    query = {"rank": "3", "run": "20260101-000000-0123456789abcdef"}
    request = SimpleNamespace(query_params=query, headers={}, session_hash="s")
    *shown, run, _, _, card = Watching(does.tab, does).open(request, "")
    told = dict(zip(does.tab.form.names, shown, strict=True))
    assert (told["rank"]["value"], run) == (3, "") and 'role="alert"' in card


@pytest.mark.parametrize("rate, shown", [(0.0, 0.0), (0.003, 0.003)])
def test_a_rate_left_to_the_lab_is_left_to_it_again_when_the_run_is_opened(rate, shown):
    settings = Settings(rank=64, steps=1, learning_rate=rate)
    run = lab.run(lab.start(settings, "me"), "me")
    assert run["settings"]["learning_rate"] > 0
    assert as_asked(from_json(run["settings"]))["learning_rate"] == shown


def test_what_differs_between_settings():
    a, b = (form.from_query({"rank": rank, "seed": "3"}) for rank in ("1", "2"))
    assert differing([a, b]) == ["rank"] and differing([a, a]) == []
