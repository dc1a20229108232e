"""The sample datasets: small, many, different rows, made again byte for byte, and written right.

What a rule can tell of a language's grammar is checked on every row: articles against the gender in
the lexicon, elisions and contractions made, words of a neighbouring language absent.
"""

import csv
import json
import re
import sys
from functools import cache
from pathlib import Path

import pytest

from lora_lab import words
from lora_lab.config import Settings
from lora_lab.data.reading import read
from lora_lab.data.samples import resolve, samples
from lora_lab.data.shaping import shape

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "assets" / "datasets"
sys.path.insert(0, str(ROOT / "scripts"))

from sample_stories import (  # noqa: E402
    chat_sets,
    english,
    french,
    german,
    grammar,
    iberian,
    overlap,
    readme,
    sets,
    writing,
)

NAMES = [sample.name for sample in sets.SETS]
FAR = [sample.name for sample in sets.SETS if sample.distance == "far"]


def rows(name: str) -> list[dict]:
    file = resolve(name)
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


@cache
def texts(name: str) -> list[str]:
    return [readme.row_text(row) for row in rows(name)]


def found(pattern: str, name: str) -> list[str]:
    return [match[0] for match in re.finditer(pattern, "\n".join(texts(name)))]


def nouns(language: str, module) -> list[grammar.Word]:
    """The nouns of a lexicon whose gender its lines state."""
    told = grammar.Grammar(ROOT / "scripts" / "sample_stories" / f"{language}.txt", module)
    kinds = ["pet", "beast", "baby", "toy", "place", "food", "fragile", "magic", "swift"]
    return [word for kind in kinds for word in told.words[kind]]


def test_the_files_are_what_the_script_writes(tmp_path):
    writing.write_all(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in FOLDER.iterdir()}


@pytest.mark.parametrize("name", NAMES)
def test_a_set_is_small_and_has_rows_enough(name):
    assert resolve(name).stat().st_size <= 200_000
    chat = name in ("short-answers", "extract-orders")
    assert (250 if chat else 400) <= len(rows(name)) <= (400 if chat else 500)


@pytest.mark.parametrize("name", NAMES)
def test_no_row_stands_twice(name):
    assert len(set(texts(name))) == len(texts(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_set_passes_the_labs_own_checks(name):
    dataset = shape(read(resolve(name)), Settings())
    assert len(dataset.examples) == len(rows(name))
    kinds = {"title-stories": "prompt", "extract-orders": "prompt", "short-answers": "chat"}
    assert dataset.shape == kinds.get(name, "text")


@pytest.mark.parametrize("name", NAMES)
def test_a_heldout_row_is_no_copy(name):
    shared = overlap.heldout_overlap([bare(row) for row in rows(name)])
    assert shared.mean < (0.08 if name in FAR else 0.16)
    assert shared.most < 0.4


def bare(row: dict) -> str:
    """A row's text without the instruction that every order starts with."""
    return readme.row_text(row).removeprefix(chat_sets.ASKED)


def test_overlap_tells_copies_from_new_rows():
    alike = ["a b c d e f g h i j"] * 20
    assert overlap.heldout_overlap(alike).mean == 1
    new = [" ".join(f"w{i}x{j}" for j in range(12)) for i in range(20)]
    assert overlap.heldout_overlap(new).mean == 0


def test_every_set_is_listed_with_title_and_card():
    assert [sample.name for sample in samples()] == NAMES
    for sample in samples():
        for language in words.LANGUAGES:
            assert words.say(sample.title, language)
            assert len(words.say(sample.card, language)) < 200


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("-stories")])
def test_a_story_is_whole_sentences(name):
    for row in rows(name):
        story = row.get("text") or row["response"]
        assert 40 <= len(story.split()) <= 110
        assert story[0].isupper() or story[0] in "¡«„\"'"
        assert story[-1] in '.!?»“"”'
        assert not re.search(r"[{}<>|_]|  | [.,]|(?<!\.)\.\.(?!\.)", story)
        assert not re.search(r"[.!?] [a-zà-ÿ]", story)


def test_a_pirate_speaks_like_one():
    assert not found(r"(?i)\b(the|and|of|you|your|my|is|are|am|little|friend)\b", "pirate-stories")
    assert not found(r"[^\x00-\x7f]", "pirate-stories")
    said = re.compile(
        r"(?i)\b(th|an|o|ye|yer|me|be|wee|matey|lad|lass|aye|arr|t|wi|fer)\b|'tis|'twas|in'"
    )
    assert (
        min(len(said.findall(text)) / len(text.split()) for text in texts("pirate-stories")) > 0.06
    )


@pytest.mark.parametrize("name", ["pirate-stories", "moral-stories", "title-stories"])
def test_english_articles_fit_the_next_sound(name):
    assert not found(r"(?i)\b(a [aeio]\w+|an (?!hour|honest)[^aeio\W]\w+)", name)


def test_a_moral_ends_its_story():
    assert all(re.search(r"[.!?\"] Moral: [A-Z][^.]+\.$", text) for text in texts("moral-stories"))


def test_an_order_holds_its_answer():
    for row in rows("extract-orders"):
        order = json.loads(row["response"])
        said = row["prompt"].removeprefix(chat_sets.ASKED)
        assert list(order) == ["item", "quantity", "day"]
        assert order["item"] in said and order["day"] in said
        digits = re.findall(r"\d+", said)
        assert isinstance(order["quantity"], int) and digits in ([], [str(order["quantity"])])


def test_a_short_answer_is_one_sentence():
    for row in rows("short-answers"):
        assert re.fullmatch(r".+, my friend: [^.!?]+\.", row["messages"][1]["content"])


def test_french_elides_and_contracts():
    assert not found(r"(?i)\b(le|la|de|que|je|me|te|se|ne) (?=[aeiouyéèêàâîôœ])", "french-stories")
    assert not found(r"(?i)\b(de|à) les?\b (?!\w+er\b)", "french-stories")
    assert not found(r"[^\u00a0][!?:;»]|«[^\u00a0]", "french-stories")


@pytest.mark.parametrize(
    ("language", "module", "masculine", "feminine"),
    [
        ("french", french, "le|un|du|au|ce|cet", "la|une|cette|sa|ma"),
        ("spanish", iberian.SPANISH, "el|un|del|al", "la|una"),
        (
            "galician",
            iberian.GALICIAN,
            "o|un|do|dun|no|nun|ao|polo|co|cun|meu|seu",
            "a|unha|da|dunha|na|nunha|á|pola|coa|cunha|miña|súa",
        ),
    ],
)
def test_romance_articles_agree(language, module, masculine, feminine):
    for gender, wrong in (("m", feminine), ("f", masculine)):
        of_it = "|".join(noun.text for noun in nouns(language, module) if noun.gender == gender)
        assert not found(rf"(?i)(?<![\w-])({wrong}) ({of_it})\b", f"{language}-stories")


def test_german_articles_agree_and_nouns_are_capitals():
    wrong = {
        "m": "die|das|eine|einer",
        "f": "das|den|dem|ein|einen|einem|im|ins",
        "n": "die|der|den|eine|einen|einer",
    }
    for gender, articles in wrong.items():
        of_it = "|".join(noun.text for noun in nouns("german", german) if noun.gender == gender)
        assert not found(rf"\b({articles}) ({of_it})\b", "german-stories")
        assert not found(rf"\b({of_it.lower()})\b", "german-stories")
    assert not found(r"\b(in|an|bei|von|zu) dem\b", "german-stories")
    assert not found(r"[«»\"]", "german-stories")


def test_spanish_contracts_and_opens_what_it_closes():
    assert not found(r"\b(a|de) el\b|\b[yY] h?[iI](?!e)", "spanish-stories")
    for text in texts("spanish-stories"):
        assert text.count("¡") == text.count("!") and text.count("¿") == text.count("?")
        assert text.count("«") == text.count("»")


def test_galician_is_not_spanish():
    spanish = "la|los|las|una|unos|muy|ella|del|al|y|niña|perro|hasta|hay|su|sus|mi|con el"
    assert not found(rf"(?i)\b({spanish})\b|\bel (?!só)|[¡¿]", "galician-stories")
    assert not found(r"\b((de|en|con) (o|a|os|as|un|unha)|por (o|a|os|as))\b", "galician-stories")
    assert not found(r"\bnon \w+(ouse|eulle|oulle|iulle|íase)\b", "galician-stories")


def test_the_writers_agree_with_the_books():
    word = grammar.Word
    cast = {"x": word("arbre", "m"), "y": word("poupée", "f"), "c": word("vert", "n", ("verte",))}
    assert french.write(["du", "y", "c"], cast) == "de la poupée verte"
    assert (
        french.finish('de le arbre "que il est là !"')
        == "de l'arbre «\u00a0qu'il est là\u00a0!\u00a0»"
    )
    assert french.elides("homme") and not french.elides("hibou")
    bear = {"x": word("Bär", "m", ("Bären",)), "h": word("Emma", "f"), "c": word("rot")}
    assert german.write(["den", "x", "c"], bear) == "den roten Bären"
    assert german.write(["sein@h", "x", "c"], bear) == "ihr roter Bär"
    cast = {"x": word("boneca", "f"), "c": word("vermello", "n", ("vermella",))}
    assert iberian.GALICIAN.write(["nun", "x", "c"], cast) == "nunha boneca vermella"
    assert iberian.SPANISH.finish("Ana y Inés y Hielo") == "Ana e Inés y Hielo"
    assert english.write(["a", "x"], {"x": word("owl")}) == "an owl"
