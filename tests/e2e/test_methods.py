"""Prefix, LoRA, both and full fine-tuning of one dataset: trained, on one chart, side by side."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.steps import open_page, press, tab, trained, upload

METHODS = {
    "LoRA": "rank 8, alpha 16",
    "Prefix tuning": "prefix of 4",
    "LoRA with prefix": "rank 8, alpha 16, prefix of 4",
    "Full fine-tuning": "full fine-tuning",
}


def choose(page: Page, method: str) -> None:
    """The method, by its name in the list of choices."""
    field = page.get_by_role("listbox", name="Method").or_(
        page.get_by_role("combobox", name="Method")
    )
    if not field.is_visible():
        page.get_by_role("button", name=re.compile("^More")).click()
    field.click()
    page.get_by_role("option", name=method, exact=True).click()
    expect(field).to_have_value(method)


@pytest.fixture
def four_runs(lab, person, stories) -> Page:
    """A page of somebody who trained one after the other, each with its own method."""
    page = person()
    open_page(page, lab.at(steps=12, evaluate_every=4, prefix_tokens=4))
    upload(page, stories)
    expect(page.get_by_text("my stories.csv: 40 rows")).to_be_visible()
    for method, called in METHODS.items():
        choose(page, method)
        press(page, "Train")
        expect(page.locator(".run-title")).to_contain_text(re.compile(f"· {called} · "))
        trained(page)
        expect(page.locator(".standing")).to_contain_text("on English stories")
    return page


def test_four_methods_on_one_chart_and_side_by_side(four_runs):
    page = four_runs
    tab(page, "Runs")
    rows = page.locator(".run-list label")
    expect(rows).to_have_count(4)
    for place in range(4):
        rows.nth(place).click()
    curves = page.locator(".chart svg.wide:visible .series .line")
    expect(curves).to_have_count(4)
    names = page.locator(".chart svg.wide:visible .series .name")
    for name in ("full", "prefix 4", "r 8 + 4", "r 8"):
        expect(names.filter(has_text=re.compile(rf"^\d · {re.escape(name)}$"))).to_have_count(2)
    forgotten = page.get_by_role("img", name=re.compile("learned and forgot"))
    expect(forgotten.first).to_have_attribute("aria-label", re.compile("full: learned"))
    expect(page.locator("table.figures:visible")).to_contain_text("Loss on English stories")

    tab(page, "Compare")
    page.get_by_label("Prompt").fill("Once upon a time")
    for place in (2, 3, 4):
        press(page, "Add an adapter")
        expect(page.get_by_label(f"Adapter {place}", exact=True)).to_be_visible()
    expect(page.get_by_label("Adapter 1", exact=True)).to_have_value(re.compile("my stories.csv"))
    for place, called in enumerate(METHODS.values(), 1):
        field = page.get_by_label(f"Adapter {place}", exact=True)
        field.click()
        option = page.get_by_role("option", name=re.compile(f"· {called} · "))
        expect(option).to_have_count(1)  # the list before this one folds up slowly
        option.click()
    press(page, "Write")
    answers = page.locator(".answer")
    expect(answers).to_have_count(5)
    for place in range(5):
        expect(answers.nth(place)).to_contain_text("tokens written")
        expect(answers.nth(place)).to_contain_text("held-out")
        expect(answers.nth(place)).to_contain_text("on English stories")
