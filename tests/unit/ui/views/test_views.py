"""Every kind of experiment is drawn, in every language, at its end and on its way."""

import pytest

from lora_lab import words
from lora_lab.ui import arms, views
from tests.experiments import CHOICES, told


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("kind", CHOICES)
@pytest.mark.parametrize("ended", [True, False])
def test_every_kind_is_drawn_in_every_language(kind, language, ended):
    experiment = told(kind, ended=ended)
    drawn = views.drawn(experiment, language)
    assert "nan" not in drawn and "<b>" not in drawn
    assert ("<svg" in drawn) or not ended
    assert ("<table" in drawn) or not ended
    assert arms.standing(experiment, {}, language)


@pytest.mark.parametrize("kind", CHOICES)
def test_arms_that_all_diverged_leave_a_page_that_says_nothing_false(kind):
    drawn = views.drawn(told(kind, lambda number: None), "en")
    assert "verdict" not in drawn and "nan" not in drawn
