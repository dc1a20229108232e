"""Samples: each is a file that reads, shapes and splits, with words in every language."""

from __future__ import annotations

import pytest

from lora_lab.config import Settings
from lora_lab.data import reading, samples, shaping, tokenising
from lora_lab.errors import LabError
from lora_lab.words import LANGUAGES, say


@pytest.mark.parametrize("sample", samples.samples(), ids=lambda sample: sample.name)
def test_a_sample_is_ready_to_train_on(sample):
    dataset = shaping.shape(reading.read(samples.resolve(sample.name)), Settings())
    train, heldout = tokenising.split(dataset, 0.1, 0)
    assert len(train.examples) >= 50
    assert len(heldout.examples) >= 5
    for language in LANGUAGES:
        assert say(sample.title, language) and say(sample.card, language)


def test_a_path_is_taken_as_it_is(tmp_path):
    (tmp_path / "a.csv").touch()
    assert samples.resolve(str(tmp_path / "a.csv")) == tmp_path / "a.csv"


@pytest.mark.parametrize("data", ["", "no such", ".", "~nobody-here/a.csv", "x" * 5000, "a\0b"])
def test_neither_a_sample_nor_a_file(data):
    with pytest.raises(LabError) as refused:
        samples.resolve(data)
    assert refused.value.key == "no_such_data"
