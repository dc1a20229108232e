"""What a person does on the page, by the words they read there."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

STANDING = "card => [card.querySelector('.state').textContent, card.textContent]"


def open_page(page: Page, url: str) -> None:
    """Open it and wait until the page has drawn its figures."""
    page.goto(url)
    expect(page.locator(".facts strong").first).to_have_text(re.compile(r"\d"))


def upload(page: Page, file: Path, button: str = "Upload a file") -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=button).click()
    chooser.value.set_files(file)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def standing(page: Page) -> Locator:
    return page.locator(".standing .state:visible")


def trained(page: Page, state: str = "done") -> None:
    """Wait until the run or race that is shown has come to that state: however long that takes, if
    only something on its card goes on moving."""
    card = page.locator(".standing:visible")
    while True:
        found, told = card.evaluate(STANDING)
        if found == state:
            return
        assert found != "failed", told
        expect(card).not_to_have_text(told)


def tab(page: Page, name: str) -> None:
    """Open a tab."""
    page.get_by_role("tab", name=name, exact=True).click()


def to_compare(page: Page) -> None:
    """Open the Compare tab and wait until it has found one's newest adapter."""
    tab(page, "Compare")
    expect(page.get_by_label("Adapter 1")).not_to_have_value("")


def pick(page: Page, label: str, option: str) -> None:
    """Choose from a list that unfolds; another one may still be folding up."""
    box = page.get_by_label(label, exact=True)
    box.click()
    own = f'[role="option"][id^="{box.get_attribute("aria-controls")}-"]'
    page.locator(own, has_text=option).first.click()
