"""The Rank lab in a browser: a tiny race from the first press to an adapter on the shelf."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.e2e.steps import open_page, press, standing, tab, trained


def figures(page: Page):
    return page.locator(".ranklab .panel:visible")


def steps(page: Page, count: int) -> None:
    box = page.get_by_role("spinbutton", name=re.compile("Steps of each arm")).locator(
        "visible=true"
    )
    box.fill(str(count))
    box.press("Tab")


def test_a_race_is_run_reloaded_looked_at_and_kept(lab, person):
    page = person()
    open_page(page, lab.at())
    tab(page, "Rank lab")
    page.get_by_label("one for all ranks").click()
    steps(page, 20)
    expect(page.get_by_text(re.compile("8 arms take turns"))).to_be_visible()
    press(page, "Start the race")
    expect(page).to_have_url(re.compile("race="))
    expect(figures(page).first).to_contain_text("Pirate stories")

    page.reload()
    expect(page.get_by_role("tab", name="Race", exact=True)).to_have_attribute(
        "aria-selected", "true"
    )
    trained(page)
    expect(figures(page)).to_have_count(3)
    expect(page.locator(".verdict").first).to_contain_text("smallest within noise")
    expect(page.locator("table.arms tr.best")).to_have_count(2)
    expect(page.locator("table.arms").first).to_contain_text("full fine-tuning")
    page.get_by_label("file size").click()
    expect(figures(page).first).to_contain_text("kB")
    for kind in ("PDF", "PNG", "CSV"):
        with page.expect_download() as kept:
            page.get_by_role("link", name=kind, exact=True).click()
        assert kept.value.path().stat().st_size > 500

    press(page, "Put it on the shelf")
    expect(page.get_by_text(re.compile("is on the shelf now"))).to_be_visible()
    tab(page, "Adapters")
    shelved = page.get_by_role("checkbox", name=re.compile("rank 1 · from a race"))
    expect(shelved).to_be_visible()
    tab(page, "Runs")
    expect(page.get_by_role("checkbox", name=re.compile("Rank race"))).to_be_visible()


def visible(page: Page, name: str):
    return page.get_by_role("button", name=name, exact=True).locator("visible=true")


def test_a_sweep_is_stopped_and_resumed(lab, person):
    page = person()
    open_page(page, lab.at())
    tab(page, "Rank lab")
    tab(page, "Alpha")
    steps(page, 5_000)
    press(page, "Sweep alpha")
    expect(page.locator(".ranklab .bar:visible")).to_be_visible()
    visible(page, "Stop").click()
    trained(page, "stopped")
    visible(page, "Resume").click()
    expect(standing(page)).to_have_text("training")
    visible(page, "Stop").click()
    trained(page, "stopped")
    expect(figures(page).first).to_contain_text("α 16")


def test_every_init_is_tried_and_the_answer_told(lab, person):
    page = person()
    open_page(page, lab.at())
    tab(page, "Rank lab")
    tab(page, "Init")
    steps(page, 10)
    press(page, "Try every init")
    trained(page)
    expect(page.locator(".ranklab .verdict:visible")).to_contain_text("cannot learn")
    expect(page.locator("table.arms:visible")).to_contain_text("Both Gaussian")


def test_an_experiment_that_is_deleted_in_another_tab_is_said_to_be_gone(lab, person):
    page = person()
    open_page(page, lab.at())
    tab(page, "Rank lab")
    tab(page, "Init")
    steps(page, 5_000)
    press(page, "Try every init")
    expect(page.locator(".ranklab .bar:visible")).to_be_visible()
    tab(page, "Alpha")
    press(page, "Sweep alpha")
    expect(standing(page)).to_have_text("waiting")

    other = page.context.new_page()
    open_page(other, lab.url)
    tab(other, "Runs")
    other.get_by_role("checkbox", name=re.compile("Sweep of alpha")).check()
    press(other, "Delete")
    press(other, "Delete for good")

    expect(page.get_by_text(re.compile("There is no run")).locator("visible=true")).to_be_visible()
    expect(visible(page, "Stop")).to_have_count(0)


def test_on_a_phone_every_section_is_in_sight(lab, person):
    page = person(viewport={"width": 390, "height": 844})
    open_page(page, lab.at())
    tab(page, "Rank lab")
    for section in ("Race", "Few examples", "Inside an update", "Cost"):
        expect(page.get_by_role("tab", name=section, exact=True)).to_be_in_viewport()
