"""How long rows are is foretold before a model is loaded."""

from statistics import mean

import pytest

from lora_lab.config import Settings
from lora_lab.data import tokenising
from lora_lab.data.dataset import Dataset
from lora_lab.lab.data import dataset_of, guess
from lora_lab.models import loading, sources


@pytest.fixture(scope="module")
def tokenizer():
    return loading.tokenizer(sources.fetch("tiny-stories"))


@pytest.mark.parametrize("data", ["pirate-stories", "german-stories", "title-stories"])
def test_some_rows_and_the_models_own_tokenizer_tell_the_mean_length(tokenizer, data):
    dataset = dataset_of(Settings(data=data))
    real = mean(len(row.ids) for row in tokenising.encode(dataset, tokenizer, 512))
    assert guess(dataset, "tiny-stories")["mean_tokens"] == pytest.approx(real, rel=0.15)


def test_without_the_model_it_is_four_characters_a_token():
    chat = [{"role": "user", "content": "a" * 50}, {"role": "assistant", "content": "b" * 49}]
    dataset = Dataset("chat", "chat", {}, [{"messages": chat, "row": 1}])
    told = guess(dataset, "nobody/has-this")["mean_tokens"]
    assert 25 <= told <= 30


def test_a_broken_tokenizer_is_told_of_by_whoever_loads_it(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text("{")
    dataset = Dataset("text", "text", {}, [{"text": "a" * 40, "row": 1}])
    assert guess(dataset, str(tmp_path))["mean_tokens"] == 10
