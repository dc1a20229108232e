"""Three languages on one base, by one click: two trainings, the table, and the table after a
reload."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Lab, serving
from tests.e2e.steps import open_page, press, tab

TRAINED = 180_000  # milliseconds for two trainings


class few_steps(serving):  # noqa: N801 - reads as the context it is
    """A server whose trainings in this section are short."""

    program = (
        "-c",
        "import runpy; from lora_lab.lab import languages; languages.STEPS = 4;"
        "runpy.run_path('app.py', run_name='__main__')",
    )


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    home = tmp_path_factory.mktemp("home")
    with few_steps(home) as url:
        yield Lab(url, home, home)


def section(page: Page):
    return page.locator("table.figures", has_text="French text")


def test_one_click_trains_both_measures_all_three_and_a_reload_shows_it_again(lab, person):
    page = person()
    open_page(page, lab.url)
    tab(page, "Adapters")
    page.get_by_text("Three languages on one base").click()
    press(page, "Train both and measure")
    start = page.get_by_role("button", name="Train both and measure", exact=True)
    expect(start).to_be_disabled()
    page.reload()  # it goes on, and so does the page
    tab(page, "Adapters")
    expect(section(page)).to_be_visible(timeout=TRAINED)
    expect(start).to_be_enabled()
    expect(section(page).get_by_role("rowheader")).to_have_text(
        [
            "base alone",
            "with the French adapter",
            "with the German adapter",
            "both mixed, half each",
        ]
    )
    expect(page.get_by_text("the base's weights are what they were")).to_be_visible()
    measured = section(page).inner_text()

    page.reload()
    tab(page, "Adapters")
    expect(section(page)).to_be_visible()
    assert section(page).inner_text() == measured
