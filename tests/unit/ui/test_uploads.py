"""A path from the browser is believed only inside the folder of uploads."""

from __future__ import annotations

import json

import pytest

from lora_lab.ui import uploads
from tests.expecting import lab_error


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "uploads" / "hash").mkdir(parents=True)
    (tmp_path / "secret.csv").write_text("text\nmine\n")
    (tmp_path / "uploads" / "hash" / "a.csv").write_text("text\nyours\n")
    return tmp_path / "uploads"


def test_an_upload_is_known_by_the_name_its_owner_gave(folder):
    path = folder / "hash" / "a.csv"
    payload = {"path": str(path), "orig_name": "mis cuentos ${1}.csv"}
    assert uploads.accepted(payload) == (path, "mis cuentos ${1}.csv")
    assert uploads.accepted([payload])[0] == path
    assert uploads.remembered(uploads.kept(path, "b.csv")) == (path, "b.csv")


def test_a_name_is_a_name_and_no_path(folder):
    payload = {"path": str(folder / "hash" / "a.csv"), "orig_name": "../../x.csv"}
    assert uploads.accepted(payload)[1] == "x.csv"


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "{folder}/../secret.csv", "{folder}", "{folder}/hash/none.csv", ""]
)
def test_any_other_path_is_refused(folder, path):
    with lab_error("no_file_uploaded"):
        uploads.accepted({"path": path.format(folder=folder)})


def test_a_link_out_of_the_folder_is_refused(folder):
    (folder / "hash" / "link.csv").symlink_to(folder.parent / "secret.csv")
    with lab_error("no_file_uploaded"):
        uploads.accepted({"path": str(folder / "hash" / "link.csv")})


@pytest.mark.parametrize("told", ["", "null", "[]", "{", "3", json.dumps({"path": 3}), 3, ["x"]])
def test_nonsense_is_no_upload(folder, told):
    with lab_error("no_file_uploaded"):
        uploads.remembered(told)
