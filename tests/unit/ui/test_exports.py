"""Files to keep, as they are sent."""

import csv
import io
import zipfile

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lora_lab.config import Settings
from lora_lab.runs import folder
from lora_lab.ui import exports
from lora_lab.ui.identity import HEADER

SECRET = {HEADER: "a secret of one's own"}


@pytest.fixture
def run():
    """A run of SECRET's, with LoRA beside a prefix."""
    who = exports.owner(type("Request", (), {"headers": SECRET}))
    made = folder.create(Settings(), who, lambda path: path.mkdir())
    for name in ("adapter_config.json", "prefix/adapter_config.json"):
        (made.adapter / name).parent.mkdir(parents=True, exist_ok=True)
        (made.adapter / name).write_text(name)
    return made


@pytest.fixture
def client():
    app = FastAPI()
    app.include_router(exports.router)
    return TestClient(app)


def test_an_adapters_zip_holds_the_prefix_beside_it(run, client, tmp_path, monkeypatch):
    monkeypatch.setattr(exports.tempfile, "tempdir", str(tmp_path))
    sent = client.get(f"/keep/adapter.zip?run={run.id}", headers=SECRET)
    with zipfile.ZipFile(io.BytesIO(sent.content)) as packed:
        assert packed.namelist() == ["adapter_config.json", "prefix/adapter_config.json"]
    assert f"adapter-{run.id}.zip" in sent.headers["content-disposition"]
    assert not list(tmp_path.glob("*.zip")), "nothing is left behind"


def test_a_stranger_gets_none_of_it(run, client):
    assert client.get(f"/keep/adapter.zip?run={run.id}").status_code == 404


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_text_is_no_formula_to_a_spreadsheet(name):
    rows = [{"data": name, "loss": -0.5, "arm": None, "seeds": 2}]
    sent = exports.table_of(["data", "loss", "arm", "seeds"], rows, "x.csv")
    (told,) = csv.DictReader(io.StringIO(sent.body.decode(), newline=""))
    assert told["data"] == f"'{name}"
    assert (told["loss"], told["arm"], told["seeds"]) == ("-0.5", "", "2")
