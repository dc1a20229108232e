"""Cards and tables of the Adapters tab: what a stranger wrote stays text, in every language."""

import pytest

from lora_lab.ui import cards, trilingual
from lora_lab.words import LANGUAGES

NASTY = "<img src=x onerror=alert(1)>"


def told(**changes):
    return {
        "id": "20260101-000000-0123456789abcdef",
        "kind": "imported",
        "name": NASTY,
        "tags": [NASTY],
        "created": 0.0,
        "model": NASTY,
        "method": "lora",
        "rank": 4,
        "alpha": 8,
        "targets": [NASTY],
        "data": NASTY,
        "heldout_loss_before": None,
        "heldout_loss": 1.5,
        "bytes": 1000,
        "mix": {"parts": [{"name": NASTY, "weight": NASTY}, "odd"]},
        "proof": None,
        "merged": None,
        **changes,
    }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("rank", [4, None])
def test_what_a_stranger_wrote_is_no_markup(language, rank):
    drawn = cards.cards([told(rank=rank), told(name="", method=None, mix={"parts": 7})], language)
    assert "<img" not in drawn and drawn.count('<article class="shelved">') == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_mixture_says_what_was_lost_and_where(language):
    event = {"rank": 4, "matrices": 8, "bytes": 5000, "error": 0.25}
    event["worst"] = [{"path": "layers.1.q_proj", "error": 0.5}]
    drawn = cards.mixture(event, language)
    assert "25" in drawn and "layers.1.q_proj" in drawn
    exact = cards.mixture({**event, "error": 0.0}, language)
    assert "layers.1.q_proj" not in exact


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_of_languages_names_its_columns_and_tells_a_changed_base(language):
    rows = [{"name": n, "losses": [1.0, 2.0, 3.0]} for n in ("base", "a", "b", "mixture")]
    event = {"texts": ["english", "french-stories", "german-stories"], "rows": rows}
    same = trilingual.table({**event, "hash_before": "a", "hash_after": "a"}, language)
    changed = trilingual.table({**event, "hash_before": "a", "hash_after": "b"}, language)
    assert same.count("<td>") == 13 and same.count('scope="col"') == 3
    assert same.split("</table>")[1] != changed.split("</table>")[1]
