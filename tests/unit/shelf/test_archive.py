"""Zips of strangers: what is taken out, and what is refused with the reason."""

import os
import struct
import zipfile

import pytest

from lora_lab.lora import peft_format
from lora_lab.shelf import archive
from tests.expecting import lab_error

NAMES = {"adapter_config.json", "adapter_model.safetensors", "README.md", "lora_lab.json"}


def zipped(path, files, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return path


@pytest.fixture
def files(adapter):
    return {file.name: file.read_bytes() for file in adapter.iterdir()}


def test_what_is_packed_is_what_is_unpacked(adapter, tmp_path):
    archive.pack(adapter, tmp_path / "a.zip", {"README.md": "# mine"})
    archive.unpack(tmp_path / "a.zip", "a.zip", tmp_path / "out")
    assert {file.name for file in (tmp_path / "out").iterdir()} == NAMES
    assert (tmp_path / "out" / "README.md").read_text() == "# mine"
    ours, theirs = (peft_format.load(folder) for folder in (adapter, tmp_path / "out"))
    assert ours.targets == theirs.targets


@pytest.mark.parametrize("folder", ["", "my-adapter/", "a/b/c/"])
def test_the_adapter_may_lie_in_a_folder_and_nothing_else_is_taken(files, tmp_path, folder):
    inside = {f"{folder}{name}": content for name, content in files.items()}
    other = {f"{folder}optimizer.pt": b"\x80", f"{folder}run.sh": b"#!", "__MACOSX/x": b""}
    archive.unpack(zipped(tmp_path / "a.zip", inside | other), "a.zip", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").rglob("*")} == NAMES


def test_a_prefix_beside_it_comes_along(files, tmp_path):
    both = files | {f"prefix/{name}": content for name, content in files.items()}
    archive.unpack(zipped(tmp_path / "a.zip", both), "a.zip", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out" / "prefix").iterdir()} == NAMES


@pytest.mark.parametrize(
    "name", ["../evil.py", "/etc/passwd", "x/../../y", "C:\\x", "..\\y", "a/..", "file:x"]
)
def test_a_name_that_leads_outside_is_refused(files, tmp_path, name):
    made = zipped(tmp_path / "a.zip", files | {name: b"x"})
    with lab_error("zip_hostile", file="a.zip"):
        archive.unpack(made, "a.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert {path.name for path in tmp_path.iterdir()} <= {"a.zip", "made", "home"}


def test_a_bomb_is_stopped_while_it_swells(files, tmp_path, monkeypatch):
    made = zipped(tmp_path / "a.zip", files | {"README.md": b"0" * 50_000_000})
    assert made.stat().st_size < 100_000
    with lab_error("zip_too_large", file="a.zip"):
        archive.unpack(made, "a.zip", tmp_path / "out")
    assert (tmp_path / "out" / "README.md").stat().st_size <= archive.SMALL


def test_a_zip_that_lies_of_its_sizes_is_not_believed(files, tmp_path):
    made = zipped(tmp_path / "a.zip", {**files, "README.md": b"0" * 5_000_000})
    raw = made.read_bytes()
    size = struct.pack("<I", 5_000_000)
    assert raw.count(size) == 2
    made.write_bytes(raw.replace(size, struct.pack("<I", 10)))
    with lab_error("zip_broken", file="a.zip"):
        archive.unpack(made, "a.zip", tmp_path / "out")


def test_a_crowd_is_refused(files, tmp_path):
    crowd = {f"f{n}": b"" for n in range(archive.MOST_ENTRIES)}
    with lab_error("zip_too_many"):
        archive.unpack(zipped(tmp_path / "a.zip", files | crowd), "a.zip", tmp_path / "out")


def test_a_pickle_is_refused_with_the_reason(files, tmp_path):
    del files["adapter_model.safetensors"]
    made = zipped(tmp_path / "a.zip", files | {"adapter_model.bin": b"\x80\x04"})
    with lab_error("adapter_pickle"):
        archive.unpack(made, "a.zip", tmp_path / "out")


def test_no_adapter_and_several_adapters(files, tmp_path):
    with lab_error("zip_no_adapter"):
        archive.unpack(zipped(tmp_path / "a.zip", {"x.txt": b""}), "a.zip", tmp_path / "out")
    two = {f"{f}/{name}": c for f in ("one", "two") for name, c in files.items()}
    with lab_error("zip_several"):
        archive.unpack(zipped(tmp_path / "b.zip", two), "b.zip", tmp_path / "out")
    deep = {f"a/b/c/d/e/{name}": c for name, c in files.items()}
    with lab_error("zip_no_adapter"):
        archive.unpack(zipped(tmp_path / "c.zip", deep), "c.zip", tmp_path / "out")


def test_no_zip_at_all_a_cut_one_and_a_locked_one(files, tmp_path):
    made = zipped(tmp_path / "a.zip", files)
    whole = made.read_bytes()
    for content in (b"", b"PK", whole[: len(whole) // 2], os.urandom(2000)):
        made.write_bytes(content)
        with lab_error("zip_broken"):
            archive.unpack(made, "a.zip", tmp_path / "out")
    locked = bytearray(whole)
    for start in (place for place in range(len(whole)) if whole[place : place + 4] == b"PK\1\2"):
        locked[start + 8] |= 1
    made.write_bytes(bytes(locked))
    with lab_error("zip_encrypted"):
        archive.unpack(made, "a.zip", tmp_path / "out")


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_spoiled_bytes_are_told_whatever_packed_them(files, tmp_path, compression):
    files["adapter_model.safetensors"] = os.urandom(5000) * 3
    made = zipped(tmp_path / "a.zip", files, compression)
    with zipfile.ZipFile(made) as opened:
        info = opened.getinfo("adapter_model.safetensors")
        start = info.header_offset + 30 + len(info.filename)
    content = bytearray(made.read_bytes())
    content[start : start + 2000] = b"\xff" * 2000
    made.write_bytes(content)
    with lab_error("zip_broken", file="a.zip"):
        archive.unpack(made, "a.zip", tmp_path / "out")


def test_a_zip_takes_what_it_says_and_no_more_is_ever_read(files, tmp_path):
    made = zipped(tmp_path / "a.zip", files | {"optimizer.pt": b"x" * 10_000})
    assert archive.size(made, "a.zip") == sum(map(len, files.values()))
    real = len(files["adapter_model.safetensors"])
    lying = made.read_bytes().replace(struct.pack("<L", real), struct.pack("<L", 10))
    assert lying != made.read_bytes()
    made.write_bytes(lying)
    with lab_error("zip_broken", file="a.zip"):
        archive.unpack(made, "a.zip", tmp_path / "out")
    taken = tmp_path / "out" / "adapter_model.safetensors"
    assert not taken.exists() or taken.stat().st_size <= 10
