"""The benches of the Rank lab: factorising, looking inside an update, and what training costs."""

from __future__ import annotations

import re

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e.steps import open_page, press, tab, trained, upload


def bench(page: Page, lab, section: str) -> None:
    open_page(page, lab.at(steps=12, rank=4, targets="attention-qv", evaluate_every=4))
    tab(page, "Rank lab")
    tab(page, section)


def hero(page: Page):
    return page.locator(".hero:visible")


def slide(page: Page, times: int, key: str = "ArrowRight") -> None:
    rank = (
        page.get_by_role("tabpanel")
        .get_by_role("slider", name="Rank")
        .and_(page.locator(":visible"))
    )
    rank.focus()
    for _ in range(times):
        page.keyboard.press(key)


def test_nine_by_nine_is_typed_over_and_its_rank_moved(lab, person):
    page = person()
    bench(page, lab, "Factorise")
    expect(hero(page)).to_contain_text("81 → 18")
    slide(page, 1)
    expect(hero(page)).to_contain_text("81 → 36")
    expect(hero(page)).to_contain_text("0\u00a0%")
    expect(page.get_by_text("Rank 2 is the smallest")).to_be_visible()

    page.get_by_label("row 5, column 1", exact=True).fill("-7.5")
    page.keyboard.press("Tab")
    expect(hero(page)).not_to_contain_text(" 0\u00a0%")
    expect(page.get_by_label("row 5, column 1", exact=True)).to_have_value("-7.5")
    expect(page.get_by_role("img", name="Product B A: 9 by 9 numbers")).to_be_visible()
    slide(page, 7)
    expect(hero(page)).to_contain_text("81 → 162")
    expect(hero(page)).to_contain_text("0\u00a0%")

    page.get_by_label("row 1, column 2", exact=True).fill("many")
    page.keyboard.press("Tab")
    expect(page.get_by_role("alert")).to_contain_text("“many” is not a number")


def test_another_matrix_to_begin_with(lab, person):
    page = person()
    bench(page, lab, "Factorise")
    expect(hero(page)).to_contain_text("81 → 18")
    page.get_by_label("Begin with").click()
    page.get_by_role("option", name="the times table").click()
    expect(page.get_by_label("row 9, column 9", exact=True)).to_have_value("81")
    expect(hero(page)).to_contain_text("0\u00a0%")


def test_ones_own_picture_at_a_rank(lab, person, tmp_path):
    page = person()
    bench(page, lab, "Factorise")
    tab(page, "Picture")
    expect(hero(page)).to_contain_text("35,840 → 3,072")
    stripes = tmp_path / "stripes.png"
    picture = Image.new("L", (60, 40))
    picture.putdata([255 if x % 7 < 3 else 0 for _ in range(40) for x in range(60)])
    picture.save(stripes)
    upload(page, stripes, "Your own picture")
    expect(hero(page)).to_contain_text("2,400 → 800")
    expect(page.get_by_text("Rank 1 is the smallest")).to_be_visible()
    slide(page, 7, "ArrowLeft")
    expect(hero(page)).to_contain_text("2,400 → 100")
    expect(hero(page)).to_contain_text("0\u00a0%")
    expect(page.get_by_role("img", name="Product B A")).to_be_visible()


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n broken", b"<svg onload='alert(1)'/>", b""])
def test_a_hostile_picture_is_told_and_the_bench_goes_on(lab, person, tmp_path, content):
    page = person()
    bench(page, lab, "Factorise")
    tab(page, "Picture")
    expect(hero(page)).to_be_visible()
    bad = tmp_path / "<img src=x onerror=alert(1)>.png"
    bad.write_bytes(content)
    upload(page, bad, "Your own picture")
    expect(page.get_by_role("alert")).to_be_visible()
    slide(page, 1)
    expect(hero(page)).to_contain_text("35,840 → 3,456")


def test_a_weight_of_the_model_in_the_box(lab, person):
    page = person()
    bench(page, lab, "Factorise")
    tab(page, "Weight")
    press(page, "Take it apart")
    expect(hero(page)).to_contain_text("16,384 → 2,048")
    slide(page, 1)
    expect(hero(page)).to_contain_text("16,384 → 2,304")


def test_a_run_beside_w0_cut_then_looked_into_and_compressed(lab, person, stories):
    page = person()
    open_page(page, lab.at(steps=12, rank=4, targets="attention-qv", evaluate_every=4))
    upload(page, stories)
    expect(page.get_by_text("my stories.csv: 40 rows")).to_be_visible()
    press(page, "Train")
    trained(page)

    tab(page, "Rank lab")
    tab(page, "Factorise")
    tab(page, "W₀, cut")
    expect(page.get_by_label("Beside this LoRA run")).to_have_value(re.compile("my stories"))
    press(page, "Cut W₀ and measure")
    table = page.locator("table.losses:visible")
    expect(table).to_contain_text("W₀ cut to rank 32")
    expect(table).to_contain_text("base + LoRA, rank 4")
    expect(page.locator(".verdict:visible")).to_contain_text("rank 4")

    tab(page, "Inside an update")
    beside = page.get_by_label("Beside another")
    beside.click()
    page.get_by_role("option").nth(1).click()
    press(page, "Look inside")
    spectra = page.locator("table.spectra")
    expect(spectra.get_by_role("columnheader")).to_have_text(["q_proj", "v_proj"])
    expect(spectra.get_by_role("rowheader")).to_have_text(["layer 0", "layer 1"])
    # Beside itself: the whole spans are the same.
    expect(page.locator("table.shared td").last).to_contain_text("1.00")
    press(page, "Compress and measure")
    compressed = page.locator("table.losses:visible")
    expect(compressed).to_contain_text("update cut to rank 4")

    tab(page, "Cost")
    measured = page.locator("table.figures", has_text="Peak memory")
    expect(measured).to_contain_text("LoRA · rank 4")


def test_the_cost_of_gpt3_is_counted(lab, person):
    page = person()
    bench(page, lab, "Cost")
    panel = page.locator(".verdict:visible")
    expect(panel).to_contain_text("135\u00a0M")
    page.get_by_role("tabpanel").get_by_label("Model").and_(page.locator(":visible")).click()
    page.get_by_role("option", name="gpt3-175b").click()
    expect(panel).to_contain_text("175\u00a0G")
    slide(page, 7, "ArrowLeft")
    targets = page.get_by_role("tabpanel").get_by_label("Target matrices")
    targets.and_(page.locator(":visible")).fill("attention-qv")
    page.keyboard.press("Enter")
    expect(panel).to_contain_text("4,718,592")
    expect(panel).to_contain_text("0.0027\u00a0%")


@pytest.mark.parametrize(
    ("locale", "section", "words"),
    [
        ("es-ES", "Factorizar", "El rango 2 es el menor"),
        ("gl-ES", "Factorizar", "O rango 2 é o menor"),
    ],
)
def test_it_speaks_the_language(lab, person, locale, section, words):
    page = person(locale=locale)
    page.goto(lab.url)
    page.get_by_role("tab").nth(2).click()
    tab(page, section)
    expect(page.get_by_text(words)).to_be_visible()
