"""The whole path: upload, train, watch, reload, see it again, compare, keep, delete."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.e2e.steps import open_page, press, standing, tab, trained, upload

POINTS = ".chart svg.wide .s0 circle"


def test_upload_train_watch_reload_compare(lab, person, stories):
    page = person()
    open_page(page, lab.at(steps=100_000, evaluate_every=500))  # it grows until it is stopped
    upload(page, stories)
    expect(page.get_by_text("my stories.csv: 40 rows")).to_be_visible()
    expect(page.locator(".preview .example").first).to_contain_text("Once upon a time")

    press(page, "Train")
    expect(standing(page)).to_have_text(re.compile("waiting|training|queued"))
    expect(page.locator(POINTS).nth(3)).to_be_attached()
    first = page.locator(POINTS).count()
    expect(page.locator(POINTS).nth(first)).to_be_attached()
    assert "run=" in page.url

    page.reload()
    expect(page.locator(POINTS).nth(first)).to_be_attached()
    press(page, "Stop")
    trained(page, "stopped")
    expect(page.get_by_role("link", name="Adapter (zip)")).to_be_visible()
    expect(page.locator(".standing")).to_contain_text("Memory")

    tab(page, "Compare")
    expect(page.get_by_label("Adapter 1")).to_have_value(re.compile("my stories.csv"))
    page.get_by_label("Prompt").fill("Once upon a time")
    press(page, "Write")
    expect(page.locator(".answer")).to_have_count(2)
    expect(page.locator(".answer").nth(1)).to_contain_text("tokens written")
    expect(page.locator(".answer").nth(1)).to_contain_text("ms a token")
    expect(page.locator(".answer").nth(1)).to_contain_text("held-out")
