"""The README is held to the code: its commands parse, its map is the tree, its figures' commands
exist."""

import re
import shlex
from pathlib import Path

import pytest

from lora_lab.cli import flags, verbs

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
COMMANDS = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines() if line]


@pytest.mark.parametrize("command", [c for c in COMMANDS if "-m lora_lab" in c])
def test_a_command_of_the_readme_is_one_the_program_takes(command):
    words = shlex.split(command)
    flags.parser("en").parse_args(words[words.index("lora_lab") + 1 :])


@pytest.mark.parametrize("command", [c for c in COMMANDS if "-m lora_lab" not in c])
def test_the_files_that_commands_name_are_there(command):
    named = [w for w in shlex.split(command) if "/" in w or w.endswith((".py", ".txt"))]
    assert all((ROOT / word).exists() for word in named)


def test_every_verb_is_told():
    told = re.search(r"the\s+verbs: ([\w,\s]+)\.", README).group(1)
    assert set(re.split(r",\s+", told)) == set(verbs.VERBS) | {"serve"}


def test_the_map_is_the_tree():
    (map_,) = [block for kind, block in BLOCKS if not kind and "app.py" in block]
    folder, named = ROOT, set()
    for line in map_.splitlines():
        name = line.split()[0]
        named.add((ROOT / "lora_lab" if line.startswith("  ") else folder) / name.rstrip("/"))
    assert all(path.exists() for path in named)
    rooms = {
        path
        for path in (ROOT / "lora_lab").iterdir()
        if not path.name.startswith("__") and (path.is_file() or (path / "__init__.py").exists())
    }
    assert rooms <= named


def test_pictures_and_files_that_are_linked_are_there():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert all((ROOT / link).exists() for link in links if "://" not in link)


def test_the_space_runs_what_is_required():
    version = re.search(r"sdk_version: (\S+)", README).group(1)
    assert f"gradio=={version}" in (ROOT / "requirements.txt").read_text()
