import re

import pytest

from lora_lab import words
from lora_lab.models.catalogue import CATALOGUE, find
from lora_lab.models.shapes import shapes
from lora_lab.models.sources import HUB_ID, fetch
from tests.expecting import lab_error

# Parameter counts that the models' own pages give, in millions.
KNOWN = {
    "smollm2-135m-instruct": 134.5,
    "smollm2-135m": 134.5,
    "smollm2-360m-instruct": 361.8,
    "gpt2": 124.4,
    "qwen2.5-0.5b-instruct": 494.0,
    "qwen3-0.6b": 596.0,
    "pythia-70m": 70.4,
    "pythia-160m": 162.3,
    "gemma-3-270m": 268.1,
}


@pytest.mark.parametrize("model", CATALOGUE, ids=lambda model: model.name)
def test_every_model_is_what_its_shapes_say(model):
    known = shapes(model.name)
    assert known.total == model.parameters
    assert known.context == model.context
    if not model.bundled:
        assert round(known.total / 1e6, 1) == KNOWN[model.name]
        assert HUB_ID.fullmatch(model.hub_id)


@pytest.mark.parametrize("model", CATALOGUE, ids=lambda model: model.name)
def test_every_model_says_what_it_is_good_for(model):
    texts = words.table()[model.good_for]
    assert set(texts) == set(words.LANGUAGES) and len(set(texts.values())) == 3


def test_a_model_is_found_by_name_or_hub_id_in_any_case():
    assert find("GPT2") is find("openai-community/gpt2") is find(" OpenAI-community/GPT2 ")
    assert find("gpt2-medium") is None


def test_names_are_safe_as_folder_names():
    for model in CATALOGUE:
        assert re.fullmatch(r"[a-z0-9.-]+", model.name) and "--" not in model.name


@pytest.mark.parametrize(
    "ref",
    [
        "../../etc/passwd",
        "a/b/c",
        "owner/",
        "/name",
        "owner/..",
        "own er/name",
        "owner/na--me",
        "owner/name?x=1",
        "owner/name#f",
        "https://example.com/x",
        "-owner/name",
        "owner/name.git",
        "",
        "x" * 300,
    ],
)
def test_what_is_no_id_is_refused_before_anything_is_asked(ref):
    with lab_error("unknown_model"):
        fetch(ref)


def test_a_model_known_by_its_sizes_alone_cannot_be_fetched():
    with lab_error("model_only_counted"):
        fetch("gpt3-175b")
