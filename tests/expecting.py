"""A LabError expected, in words: its key, its place, and sentences in every language."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lora_lab import words
from lora_lab.errors import LabError


@contextmanager
def lab_error(key: str, **where: object) -> Iterator[None]:
    """The block must raise LabError(key) with exactly this place, if one is named."""
    with pytest.raises(LabError) as caught:
        yield
    error = caught.value
    assert error.key == key
    assert not where or error.where == where
    for language in words.LANGUAGES:
        assert "{" not in error.text(language)
    assert LabError.from_json(error.as_json()).text() == error.text()
