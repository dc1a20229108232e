"""Faulty files and hostile names through the page: told in their place, and the page lives on."""

from __future__ import annotations

import html
import re

import pytest
from playwright.sync_api import expect

from tests.e2e.steps import open_page, pick, press, standing, tab, to_compare, trained, upload
from tests.faulty_files import faulty_files

# One of each fault: in every format they go through the command line's tests. Without settings,
# since the page has no file for those before a column is chosen.
FAULTS = {faulty.key: faulty for faulty in faulty_files() if not faulty.settings}
HOSTILE = "<img src=x onerror=alert(1)> ${alert(2)} {{3}}"


def test_every_fault_is_told_in_its_place_and_the_page_goes_on(lab, person, tmp_path):
    page = person()
    open_page(page, lab.at())
    card = page.get_by_role("alert").first
    for faulty in FAULTS.values():
        path = tmp_path / faulty.name
        path.write_bytes(faulty.content)
        upload(page, path)
        whole = re.compile(rf"^{re.escape(faulty.name)}(,|$)")  # x.json begins as x.jsonl does
        expect(card.locator(".where")).to_have_text(whole)
        if faulty.row is not None:
            expect(card.locator(".where")).to_contain_text(f"row {faulty.row}")
        if faulty.column is not None:
            expect(card.locator(".where")).to_contain_text(faulty.column)
    assert "Traceback" not in page.content()
    good = tmp_path / "good.csv"
    good.write_text("text\n" + "Once upon a time there was a boat.\n" * 9)
    upload(page, good)
    expect(page.get_by_text("good.csv: 9 rows")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_training_without_good_data_says_why(lab, person, tmp_path):
    page = person()
    open_page(page, lab.at())
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    upload(page, empty)
    expect(page.get_by_role("alert")).to_have_count(1)
    press(page, "Train")
    expect(page.get_by_role("alert")).to_have_count(2)
    assert "run=" not in page.url


def test_columns_that_nobody_knows_can_be_named(lab, person, tmp_path):
    page = person()
    open_page(page, lab.at())
    odd = tmp_path / "odd.csv"
    odd.write_text("uno,dos\n" + "What is a boat?,It floats on the sea.\n" * 12)
    upload(page, odd)
    expect(page.get_by_role("alert").first).to_be_visible()
    for label, column in (("Prompt column", "uno"), ("Response column", "dos")):
        pick(page, label, column)
    expect(page.get_by_text("Prompt: column “uno”. Response: column “dos”.")).to_be_visible()
    expect(page.locator(".example u").first).to_contain_text("It floats")


def test_hostile_words_stay_words(lab, person, tmp_path):
    page = person()
    open_page(page, lab.at(steps=5))
    name = HOSTILE.replace("/", "") + ".csv"
    hostile = tmp_path / name
    hostile.write_text(f'text,"{HOSTILE}"\n' + f'"{HOSTILE} once upon a time",x\n' * 9)
    upload(page, hostile)
    expect(page.get_by_text("9 rows")).to_be_visible()
    expect(page.locator(".example").first).to_contain_text("onerror")
    press(page, "Train")
    trained(page)
    to_compare(page)
    page.get_by_label("Prompt").fill(HOSTILE)
    press(page, "Write")
    expect(page.locator(".answer").nth(1)).to_contain_text("tokens written")
    tab(page, "Runs")
    page.get_by_role("checkbox").first.click()
    expect(page.locator(".figures").last).to_be_visible()
    # A dialog, an error or a request to anywhere fails the test in the fixture.
    assert page.locator("img[src=x]").count() == 0
    assert html.escape(HOSTILE)[:9] in page.content()


@pytest.mark.parametrize("query", ["rank=none", "steps=0", "run=20260101-000000-0000000000000000"])
def test_a_link_with_nonsense_opens_with_the_reason(lab, person, query):
    page = person()
    page.goto(f"{lab.url}?{query}")
    expect(page.get_by_role("alert").first).to_be_visible()
    expect(page.locator(".facts strong").first).to_have_text(re.compile(r"\d"))
    expect(standing(page)).to_have_count(0)
