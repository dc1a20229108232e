"""Every malformed file is refused with the right error, in its place, in every language."""

from __future__ import annotations

import pytest

from lora_lab import words
from lora_lab.cli.main import main as command_line
from lora_lab.config import Settings
from lora_lab.data import reading, shaping, tokenising
from lora_lab.errors import LabError
from lora_lab.words import LANGUAGES
from tests.faulty_files import Faulty, faulty_files

FILES = list(faulty_files())


@pytest.mark.parametrize("faulty", FILES, ids=lambda faulty: faulty.name)
def test_data_refuses_the_file(faulty: Faulty, tmp_path):
    path = tmp_path / faulty.name
    path.write_bytes(faulty.content)
    settings = Settings(**faulty.settings)
    with pytest.raises(LabError) as refused:
        dataset = shaping.shape(reading.read(path), settings)
        tokenising.split(dataset, settings.heldout_share, settings.seed)
    error = refused.value
    where = {"file": faulty.name, "row": faulty.row, "column": faulty.column}
    expected = {name: value for name, value in where.items() if value is not None}
    assert (error.key, error.where) == (faulty.key, expected)
    for language in LANGUAGES:
        assert error.text(language).startswith(faulty.name)
    assert LabError.from_json(error.as_json()).text() == error.text()


def test_names_are_unique():
    names = [faulty.name for faulty in FILES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "faulty", [f for f in FILES if not f.settings], ids=lambda faulty: faulty.name
)
def test_the_command_line_refuses_it_in_words(faulty: Faulty, tmp_path, capfd):
    path = tmp_path / faulty.name
    path.write_bytes(faulty.content)
    told = ["train", "--data", str(path), "--out", str(tmp_path / "out"), "--json", "--lang", "gl"]
    assert command_line(told, lambda *_: None) == 1
    out, err = capfd.readouterr()
    assert out == "" and "Traceback" not in err
    remedy = words.table()[f"error.{faulty.key}.remedy"]["gl"]
    assert remedy.partition("{")[0][:20] in err
