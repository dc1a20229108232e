import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_lab.evaluation.unfolding import Unfolding


@pytest.fixture(scope="module")
def text():
    return "Ñandú, año 2026: 🦜 “olé” — 日本語 a\u0301."


def pieces(tokenizer, ids, prompt_ids=()):
    unfolding = Unfolding(tokenizer, list(prompt_ids))
    return [*(unfolding.add(token) for token in ids), unfolding.rest()]


def test_no_piece_holds_half_a_character(tokenizer, text):
    shown = pieces(tokenizer, tokenizer.encode(text))
    assert "".join(shown) == text
    assert not any("\ufffd" in piece for piece in shown)
    assert shown[:2] == ["", "Ñ"]


def test_half_a_character_at_the_end_is_shown_as_such(tokenizer):
    ids = tokenizer.encode("a🦜")[:-1]
    assert pieces(tokenizer, ids) == ["a", "", "", "", "\ufffd"]


def test_special_tokens_show_nothing(tokenizer):
    assert pieces(tokenizer, [*tokenizer.encode("ab"), 256]) == ["a", "b", "", ""]


def test_the_prompt_is_never_shown_again(tokenizer, text):
    assert "".join(pieces(tokenizer, tokenizer.encode(text), tokenizer.encode("El ñu"))) == text


@given(st.lists(st.integers(0, 256), max_size=40))
def test_the_pieces_are_the_whole_text(tokenizer, ids):
    assert "".join(pieces(tokenizer, ids)) == tokenizer.decode(ids, skip_special_tokens=True)
