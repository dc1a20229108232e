"""Matrices from files and from the page: read as they are, or refused with the place."""

import numpy as np
import pytest

from lora_lab.errors import LabError
from lora_lab.factorising import tables


@pytest.mark.parametrize(
    "content",
    [b"1,2.5\n-3,4e1\n", b"1;2,5\r\n-3;40\r\n", b"1\t2,5\n\xe2\x88\x923\t40", b"1;2.5\n\n-3;40\n"],
)
def test_numbers_are_read_in_each_manner_of_writing_them(content):
    assert tables.read(content, "m.csv").tolist() == [[1, 2.5], [-3, 40]]


@pytest.mark.parametrize(
    ("content", "key", "row"),
    [
        (b"1,2\n3\n", "matrix_uneven", 2),
        (b"a,b\n1,2\n", "matrix_not_a_number", 1),
        (b"1,nan\n", "matrix_not_a_number", 1),
        (b"1,inf\n", "matrix_not_a_number", 1),
        (b"1,1e300\n", "matrix_not_a_number", 1),
        (b"1,\n", "matrix_not_a_number", 1),
        (b"\n\n", "matrix_empty", None),
        (b"1," * 2000 + b"1\n", "matrix_too_large", None),
        (b"1\n" * 2000, "matrix_too_large", None),
        (b'"' + b"1" * 1_100_000, "matrix_not_a_table", None),
        (b"\xff\xfe1\x00", "is_utf16", 1),
        (b"1,\xe9\n", "not_utf8", 1),
        (b"PK\x03\x04zip", "is_archive", None),
        (b"%PDF-1.7", "is_binary", None),
    ],
)
def test_what_is_no_matrix_is_told_with_its_place(content, key, row):
    with pytest.raises(LabError) as caught:
        tables.read(content, "m.csv")
    assert caught.value.key == key
    assert caught.value.where.get("row") == row
    assert caught.value.text()


def test_cells_of_the_page():
    assert np.array_equal(tables.of_cells([[1, "2"], ["-3", 0.5]]), [[1, 2], [-3, 0.5]])


@pytest.mark.parametrize(
    "cells", [None, "1", {}, [1, 2], [[1], [2, 3]], [], [[]], [[None]], [["x"]]]
)
def test_cells_that_are_none(cells):
    with pytest.raises(LabError) as caught:
        tables.of_cells(cells)
    assert caught.value.text()
