"""Answers side by side as they come, with their figures; what a model writes stays text."""

from __future__ import annotations

from lora_lab.ui.compare import Answers
from lora_lab.ui.comparing import show

HOSTILE = "<script>alert(1)</script>${alert(1)}{{1}}"


def piece(column: int, text: str, prompt: int = 0, tokens: int = 1, ended: str | None = None):
    return {"prompt": prompt, "column": column, "text": text, "tokens": tokens, "ended": ended}


def test_pieces_grow_in_their_own_cells():
    answers = Answers(["one", "two"], ["base", "mine"], "en")
    show(answers, {"kind": "pieces", "pieces": [piece(0, "a"), piece(1, "b", prompt=1)]})
    show(answers, {"kind": "pieces", "pieces": [piece(0, "c", tokens=2, ended="length")]})
    texts = [[cell.text for cell in cells] for cells in answers.cells]
    assert texts == [["ac", ""], ["", "b"]]
    told = answers.html()
    assert told.count('class="answer c0"') == 2 and "cut at the length" in told
    assert "2 tokens written" in told


def test_figures_stand_under_their_column():
    answers = Answers(["one"], ["base", "mine"], "en")
    heldout = [{"name": "a.csv", "rows": 4, "losses": [4.0, None]}]
    show(answers, {"kind": "figures", "ms_per_token": [3.1, 3.4], "heldout": heldout})
    base, mine = answers.html().split("<article")[1:]
    assert "3.1 ms a token" in base and "held-out loss 4.000 on a.csv" in base
    assert "3.4 ms a token" in mine and "held-out" not in mine


def test_what_each_forgot_stands_in_its_column():
    answers = Answers(["one"], ["base", "mine", "other"], "en")
    english = {"name": "heldout-english.txt", "rows": 13, "losses": [1.98, 2.1, None]}
    figures = {"kind": "figures", "ms_per_token": None, "heldout": [], "base_text": english}
    show(answers, figures)
    base, mine, other = answers.html().split("<article")[1:]
    assert "loss 1.980 on English stories<" in base
    assert "loss 2.100 on English stories<" in mine
    assert "English" not in other


def test_a_warning_names_its_column():
    answers = Answers(["one"], ["base", "mine × 0.5"], "en")
    told = {"kind": "warning", "column": 1, "key": "compare.no_dial", "facts": {"adapter": "x"}}
    show(answers, told)
    assert "mine × 0.5” has no dial" in answers.html()


def test_waiting_and_loading_are_told_until_something_comes():
    answers = Answers(["one"], ["base"], "gl")
    show(answers, {"kind": "waiting", "place": 2})
    assert "2 por diante" in answers.html()
    show(answers, {"kind": "progress", "phase": "loading"})
    assert "Cargando" in answers.html()
    show(answers, {"kind": "pieces", "pieces": []})
    assert "Cargando" not in answers.html()


def test_stopping_marks_what_was_still_being_written():
    answers = Answers(["one"], ["base", "mine"], "en")
    answers.take(piece(0, "a", ended="end"))
    answers.stop()
    assert [cell.ended for cell in answers.cells[0]] == ["end", "stopped"]


def test_hostile_words_stay_words():
    answers = Answers([HOSTILE, "x"], ["base", HOSTILE], "en")
    answers.take(piece(1, HOSTILE))
    answers.warnings.append(HOSTILE)
    heldout = [{"name": HOSTILE, "rows": 4, "losses": [4.0, 3.0]}]
    show(answers, {"kind": "figures", "ms_per_token": None, "heldout": heldout})
    assert "<script" not in answers.html()
