"""Pictures from anyone: turned upright, in greys, small; and the hostile ones refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from lora_lab.errors import LabError
from lora_lab.factorising import pictures


def saved(picture, kind="PNG", **choices):
    written = io.BytesIO()
    picture.save(written, kind, **choices)
    return written.getvalue()


def chunk(name, content):
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def claimed(width, height):
    """A PNG of a few bytes that says it is as large as that: a bomb."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


def test_greys_are_what_they_were():
    levels = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    content = saved(Image.fromarray(levels))
    assert np.array_equal(pictures.read(content, "a.png"), levels)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(pictures.png(levels)))), levels)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP"])
def test_a_large_picture_of_each_kind_is_made_small(kind):
    read = pictures.read(saved(Image.new("RGB", (800, 400), "gray"), kind), "a")
    assert read.shape == (128, 256) and read == pytest.approx(128, abs=2)


def test_what_is_clear_is_white_and_what_was_turned_is_upright():
    assert pictures.read(saved(Image.new("RGBA", (4, 4), (0, 0, 0, 0))), "a") == pytest.approx(255)
    turned = Image.Exif()
    turned[0x0112] = 6
    content = saved(Image.new("L", (40, 20)), "JPEG", exif=turned)
    assert pictures.read(content, "a").shape == (40, 20)


def test_beyond_black_and_white_is_cut_off():
    cut = Image.open(io.BytesIO(pictures.png(np.array([[-50.0, 300.0]]))))
    assert np.asarray(cut).tolist() == [[0, 255]]


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (claimed(8000, 8000), "picture_too_large"),
        (claimed(60_000, 60_000), "picture_broken"),
        (claimed(50, 50), "picture_broken"),
        (saved(Image.new("L", (300, 300)))[:60], "picture_broken"),
        (b"\x89PNG\r\n\x1a\n", "picture_broken"),
        (b"GIF89a" + b"\xff" * 50, "picture_broken"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "picture_broken"),
        (b"BM" + b"\0" * 40, "picture_broken"),
        (b"\x89PNG" + b"\0" * pictures.LARGEST_FILE, "picture_too_heavy"),
    ],
)
def test_hostile_pictures_are_refused(content, key):
    assert pictures.is_picture(content)
    with pytest.raises(LabError) as caught:
        pictures.read(content, "holiday.png")
    assert caught.value.key == key and "holiday.png" in caught.value.text()


def test_a_file_is_measured_before_it_is_read(tmp_path):
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.truncate(pictures.LARGEST_FILE + 1)
    for path, key in ((huge, "picture_too_heavy"), (tmp_path, "file_unreadable")):
        with pytest.raises(LabError) as caught:
            pictures.bytes_of(path, path.name)
        assert caught.value.key == key
