"""axe-core finds nothing, light and dark, wide and on a phone; the keyboard reaches everything."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.e2e.steps import open_page, press, tab, to_compare, trained, upload

SIZES = {"wide": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


# A button that has just come alive fades in; colours count once that is over.
FADING = "document.getAnimations().filter(each => each instanceof CSSTransition)"
STILL = f"Promise.allSettled({FADING}.map(each => each.finished))"


def violations(page) -> list[str]:
    page.evaluate(STILL)
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {node['html'][:120]}" for v in found for node in v["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_each_tab_is_clean_and_fits(lab, person, tmp_path, size, scheme):
    page = person(viewport=SIZES[size], color_scheme=scheme)
    open_page(page, lab.at(steps=5))
    data = tmp_path / "a.csv"
    data.write_text("prompt,response\n" + "What is a boat?,It floats on the sea.\n" * 12)
    upload(page, data)
    expect(page.locator(".example u").first).to_be_visible()
    press(page, "Train")
    trained(page)
    for name in ("Train", "Compare", "Rank lab", "Runs"):
        tab(page, name)
        if name == "Compare":
            to_compare(page)
            press(page, "Write")
            expect(page.locator(".answer").nth(1)).to_contain_text("held-out")
        if name == "Runs":
            page.get_by_role("checkbox").first.click()
            expect(page.locator(".figures").last).to_be_visible()
            expect(page.get_by_role("button", name="Open", exact=True)).to_be_enabled()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]


def test_the_keyboard_alone_moves_the_rank_and_starts_a_run(lab, person, stories):
    page = person()
    open_page(page, lab.at(steps=5))
    upload(page, stories)
    expect(page.get_by_text("my stories.csv: 40 rows")).to_be_visible()
    rank = page.get_by_role("slider", name="Rank")
    before = page.locator(".facts strong").first.inner_text()
    rank.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".facts strong").first).not_to_have_text(before)
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "Train":
            break
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Enter")
    trained(page)
