"""Three languages, from the browser's wish on; no English word in the other two."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from lora_lab.words import say, table
from tests.e2e.steps import open_page, upload

# Words that stay: names of models and tensors, numbers, units, and sizes.
ENGLISH = re.compile(
    r"\b(the|with|upload|drop|click|file here|loading|settings|built|number input|range slider"
    r"|more tabs|close|clear|reset|train|held-out|step|of memory)\b",
    re.IGNORECASE,
)
WHAT = "[...document.querySelectorAll('[aria-label],[title],[placeholder],[alt]')].flatMap(e =>"
WHAT += " ['aria-label','title','placeholder','alt'].map(name => e.getAttribute(name))).join('\\n')"


@pytest.mark.parametrize("language, locale", [("es", "es-ES"), ("gl", "gl-ES")])
def test_a_first_visit_speaks_the_browsers_language(lab, person, language, locale):
    page = person(locale=locale)
    open_page(page, lab.at())
    assert page.url.startswith(f"{lab.url}{language}/?model=")
    assert page.evaluate("document.documentElement.lang") == language
    expect(page.get_by_role("tab", name=say("page.train", language), exact=True)).to_be_visible()


@pytest.mark.parametrize("language", ["es", "gl"])
def test_no_english_is_left(lab, person, tmp_path, language):
    page = person(locale=language)
    open_page(page, lab.at(f"{language}/"))
    faulty = tmp_path / "x.csv"
    faulty.write_text("a,b\n1\n")
    upload(page, faulty, say("train.upload", language))
    expect(page.get_by_role("alert").first).to_be_visible()
    for button in page.locator("button.label-wrap").all():
        if button.is_visible():
            button.click()
    texts = []
    for name in ("page.train", "page.compare", "page.runs"):
        page.get_by_role("tab", name=say(name, language), exact=True).click()
        expect(page.get_by_role("tabpanel")).to_be_visible()
        texts += [page.locator("body").inner_text(), page.evaluate(WHAT)]
    samples = [text["en"] for key, text in table().items() if key.startswith("dataset.")]
    lines = {line.strip() for text in texts for line in text.splitlines()}
    told = [line for line in lines if line and line not in samples]
    assert [line for line in told if ENGLISH.search(line) and "Once upon" not in line] == []


def test_the_switch_keeps_the_settings_and_is_remembered(lab, person):
    page = person()
    open_page(page, lab.at(rank=3))
    page.get_by_role("link", name="GL").click()
    page.wait_for_url(re.compile(r"/gl/\?.*rank=3"))
    expect(page.get_by_label("Rango").first).to_have_value("3")
    page.goto(lab.url)
    page.wait_for_url("**/gl/")
    page.get_by_role("link", name="EN").click()
    expect(page.get_by_role("tab", name="Train")).to_be_visible()
    page.goto(lab.url)
    assert page.url == lab.url
