"""The command line in this process: flags, languages, exit codes, and what goes to which stream."""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lora_lab import config
from lora_lab.cli import flags, naming, verbs
from lora_lab.cli.main import main
from lora_lab.config import Settings
from lora_lab.errors import LabError

ROOT = Path(__file__).parents[2]


def run(*arguments):
    return main([str(argument) for argument in arguments], None)


def usage_error(*arguments):
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    return ended.value.code


def test_every_setting_is_a_flag_of_train():
    told = flags.parser("en").parse_args(["train"])
    assert flags.settings(told) == Settings().checked()
    for f in dataclasses.fields(Settings):
        value = f.metadata["choices"][-1] if f.metadata["choices"] else f.default
        flag = f"--{f.name.replace('_', '-')}"
        assert getattr(flags.parser("en").parse_args(["train", flag, str(value)]), f.name) == value


def test_count_tells_one_json_object_and_nothing_else(capfd):
    asked = ("--model", "smollm2-135m-instruct", "--rank", 8, "--targets", "attention-qv")
    assert run("count", *asked, "--json") == 0
    out, err = capfd.readouterr()
    assert out.count("\n") == 1 and not err
    told = json.loads(out)
    assert told["trainable"] == 460_800
    assert {"trainable", "total", "percent", "adapter_bytes"} <= set(told)


def test_count_loads_nothing_heavy():
    code = (
        "import sys; from lora_lab.cli.main import main; main(['count', '--json'], None);"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'gradio')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_a_lab_error_is_a_problem_and_a_remedy_on_stderr_and_1(capfd):
    assert run("count", "--rank", 0, "--json") == 1
    out, err = capfd.readouterr()
    assert not out and "Traceback" not in err
    assert "Rank is 0" in err and "between 1 and 256" in err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["count", "--rank", "many"],
        ["count", "--wings", "2"],
        ["compare"],
        ["stop"],
        ["train", "--device", "abacus"],
    ],
)
def test_flags_that_make_no_sense_are_2(arguments, capfd):
    assert usage_error(*arguments) == 2
    out, err = capfd.readouterr()
    assert not out and "Traceback" not in err and "usage" in err


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Rank is 0"), ("es", "Rango es 0"), ("gl", "Rango é 0")],
)
def test_errors_speak_the_language_asked_for(language, words, capfd, monkeypatch):
    assert run("count", "--rank", 0, "--lang", language) == 1
    assert words in capfd.readouterr().err
    monkeypatch.setenv("LORA_LAB_LANG", language)
    assert run("count", "--rank", 0) == 1
    assert words in capfd.readouterr().err
    monkeypatch.delenv("LORA_LAB_LANG")
    monkeypatch.setenv("LC_ALL", f"{language}_ES.UTF-8")
    assert run("count", "--rank", 0) == 1
    assert words in capfd.readouterr().err


def test_help_and_usage_errors_speak_it_too(capfd):
    assert usage_error("train", "--help", "--lang", "gl") == 0
    out = " ".join(capfd.readouterr().out.split())
    assert "Rango. Canto espazo" in out
    assert "amosa esta axuda" in out and "por defecto: 8" in out and "show this" not in out
    assert usage_error("compare", "--lang=es") == 2
    assert "faltan estos argumentos: --prompt" in capfd.readouterr().err
    assert usage_error("--lang", "en", "compare") == 2
    assert "the following arguments are required: --prompt" in capfd.readouterr().err


def test_argparse_still_says_what_is_translated():
    """The sentences are found by their English text: a new Python may change it."""
    import gettext
    import inspect

    source = inspect.getsource(argparse)
    from lora_lab import words

    for key, texts in words.table().items():
        if key.startswith("cli.argparse."):
            assert repr(texts["en"]) in source, key
    assert gettext.gettext("options") == "options"


def test_what_a_library_prints_goes_to_stderr(capfd, monkeypatch):
    def noisy(told, tell):
        print("printed")
        os.write(1, b"written by C\n")
        return {"runs": []}

    monkeypatch.setitem(verbs.VERBS, "runs", noisy)
    assert run("runs", "--json") == 0
    out, err = capfd.readouterr()
    assert out == '{"runs": []}\n'
    assert "printed" in err and "written by C" in err
    print("stdout is whole again")
    assert capfd.readouterr().out == "stdout is whole again\n"


def test_a_surprise_is_short_on_screen_and_whole_in_the_log(capfd, monkeypatch):
    def surprise(told, tell):
        raise RuntimeError("deep inside")

    monkeypatch.setitem(verbs.VERBS, "runs", surprise)
    assert run("runs", "--json") == 1
    out, err = capfd.readouterr()
    log = config.home() / "command-line.log"
    assert not out and str(log) in err and "deep inside" not in err
    assert "deep inside" in log.read_text() and "Traceback" in log.read_text()


def test_ctrl_c_is_130_without_a_word(capfd, monkeypatch):
    def interrupted(told, tell):
        raise KeyboardInterrupt

    monkeypatch.setitem(verbs.VERBS, "runs", interrupted)
    assert run("runs") == 130
    assert capfd.readouterr() == ("", "")


def test_serve_hands_its_address_over():
    heard = []
    assert main(["serve", "--host", "0.0.0.0", "--port", "8000"], lambda *at: heard.append(at)) == 0
    assert heard == [("0.0.0.0", 8000)]


def test_models_and_runs_are_told_to_people_and_programs(capfd):
    assert run("models") == 0
    assert "smollm2-135m-instruct" in capfd.readouterr().out
    assert run("models", "--json") == 0
    assert any(
        model["name"] == "smollm2-135m-instruct"
        for model in json.loads(capfd.readouterr().out)["models"]
    )
    assert run("runs", "--json") == 0
    assert json.loads(capfd.readouterr().out) == {"runs": []}


def test_an_unknown_run_is_said(capfd):
    for verb in ("stop", "resume"):
        assert run(verb, "../../etc") == 1
        assert "../../etc" in capfd.readouterr().err


def test_adapters_with_and_without_strength(tmp_path):
    for name in ("one", "two", "a=b"):
        (tmp_path / name).mkdir()
    one, two, odd = (str(tmp_path / name) for name in ("one", "two", "a=b"))
    told = naming.adapters([one, f"{two}=-0.5", odd, f"{odd}=2"])
    assert told == {
        one: (Path(one), 1.0),
        two: (Path(two), -0.5),
        odd: (Path(odd), 1.0),
        f"{odd}=2": (Path(odd), 2.0),
    }


@pytest.mark.parametrize(
    ("text", "key"), [("nowhere", "no_such_adapter"), ("nowhere=much", "strength_not_a_number")]
)
def test_adapters_that_are_none(text, key):
    with pytest.raises(LabError) as caught:
        naming.adapters([text])
    assert caught.value.key == key


def test_out_is_checked_before_anything_is_trained(tmp_path, capfd):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    (tmp_path / "file").touch()
    data = tmp_path / "data.csv"
    data.write_text("text\n" + "once upon a time\n" * 20)
    for out, words in ((tmp_path / "full", "thesis.txt"), (tmp_path / "file", "cannot be written")):
        assert run("train", "--data", data, "--out", out, "--json") == 1
        assert words in capfd.readouterr().err
    assert not (config.home() / "runs").exists()


def test_no_folder_is_left_where_nothing_was_made(tmp_path, capfd):
    (tmp_path / "bad.csv").write_text("prompt,response\na\n")
    (tmp_path / "here").mkdir()
    for out in (tmp_path / "new" / "adapter", tmp_path / "here"):
        before = sorted(tmp_path.rglob("*"))
        assert run("train", "--data", tmp_path / "bad.csv", "--out", out) == 1
        assert "bad.csv, row 2" in capfd.readouterr().err
        assert sorted(tmp_path.rglob("*")) == before


def test_faulty_data_is_told_with_its_row_before_any_model(tmp_path, capfd):
    data = tmp_path / "data.csv"
    data.write_text("prompt,response\na,b\nc\n")
    assert run("train", "--model", "nobody/nothing", "--data", data) == 1
    err = capfd.readouterr().err
    assert "data.csv, row 3" in err and "Traceback" not in err
