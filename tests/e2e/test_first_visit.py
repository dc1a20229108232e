"""A first visit on a school laptop: what to press is in sight, what it does too, and what comes
next is one press away."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.e2e.steps import open_page, press, trained, upload

LAPTOP = {"width": 1366, "height": 768}


def test_train_its_curve_and_the_answers_are_each_in_sight(lab, person, stories):
    page = person(viewport=LAPTOP)
    open_page(page, lab.at(steps=5))
    train = page.get_by_role("button", name="Train", exact=True)
    expect(train).to_be_in_viewport(ratio=1)
    upload(page, stories)
    expect(page.locator(".preview .example").first).to_be_visible()
    page.get_by_role("button", name=re.compile("^More")).scroll_into_view_if_needed()
    expect(train).to_be_in_viewport(ratio=1)
    expect(page.locator(".facts")).to_be_in_viewport(ratio=1)

    train.click()
    trained(page)
    expect(page.locator(".standing")).to_be_in_viewport(ratio=1)
    expect(page.locator(".chart svg.wide:visible")).to_be_in_viewport(ratio=1)
    press(page, "Compare with the base")
    expect(page.get_by_role("tab", name="Compare", exact=True)).to_have_attribute(
        "aria-selected", "true"
    )
    expect(page.get_by_label("Adapter 1")).to_have_value(re.compile("my stories.csv"))
    expect(page.locator(".answer").nth(1)).to_contain_text("tokens written")
    expect(page.locator(".answer p").first).to_be_in_viewport()


def test_whoever_comes_back_finds_the_last_run(lab, person, stories):
    page = person()
    open_page(page, lab.at(steps=5))
    upload(page, stories)
    expect(page.get_by_text("my stories.csv: 40 rows")).to_be_visible()
    press(page, "Train")
    trained(page)
    open_page(page, lab.url)
    trained(page)
    expect(page.locator(".run-title")).to_contain_text("my stories.csv")


def test_a_link_to_somebody_else_s_run_still_sets_the_form(lab, person):
    page = person()
    run = "20260101-000000-0123456789abcdef"
    page.goto(lab.at(rank=3, run=run))
    expect(page.get_by_role("alert").first).to_contain_text("press Train")
    expect(page.get_by_label("Rank").first).to_have_value("3")


def test_alpha_follows_the_rank_until_it_is_set(lab, person):
    page = person()
    open_page(page, lab.at())
    rank, alpha = (page.get_by_role("slider", name=name) for name in ("Rank", "Alpha"))
    factor = page.locator(".drawing text", has_text="+").first
    rank.press("ArrowRight")
    expect(alpha).to_have_value("18")
    expect(factor).to_have_text("+ 2 ·")
    alpha.press("ArrowLeft")
    rank.press("ArrowRight")
    expect(page.locator(".drawing text", has_text="B ")).to_contain_text("× 10")
    expect(alpha).to_have_value("17")
    open_page(page, lab.at(rank=3, alpha=6))
    rank.press("ArrowLeft")
    expect(alpha).to_have_value("4")
    page.wait_for_url("**alpha=4*")
