"""An adapter made elsewhere names its base in its own way, here by the lab's."""

from __future__ import annotations

import json

import pytest

from lora_lab.models import sources
from lora_lab.shelf import arriving
from tests.expecting import lab_error


@pytest.fixture
def made_on(tmp_path):
    def make(base: str):
        (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
        return tmp_path

    return make


def test_an_adapter_made_on_a_folder_of_the_catalogue_stands_on_that_model(made_on):
    folder = str(sources.fetch("tiny-stories").folder)
    assert arriving.base_of(made_on(folder)) == "tiny-stories"
    assert arriving.base_of(made_on(folder), local=False) == "tiny-stories"
    assert arriving.base_of(made_on("owner/model")) == "owner/model"


def test_a_folder_of_one_s_own_is_a_base_at_home_alone(made_on, tmp_path):
    assert arriving.base_of(made_on(str(tmp_path))) == str(tmp_path)
    with lab_error("import_base_unknown"):
        arriving.base_of(made_on(str(tmp_path)), local=False)
