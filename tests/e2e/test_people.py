"""Two people at once: neither sees the other's data, turns are taken, both finish."""

from __future__ import annotations

import re

import httpx
from playwright.sync_api import expect

from tests.e2e.steps import open_page, press, standing, tab, trained, upload


def test_two_browsers_see_their_own_and_take_turns(lab, person, tmp_path):
    first, second = pages = [person(), person()]
    # The first one's run would go on for hours: the second one's waits until it is stopped.
    for name, page, steps in (("ana", first, 100_000), ("brais", second, 30)):
        path = tmp_path / f"{name}.csv"
        path.write_text("text\n" + f"Once upon a time {name} went to sea.\n" * 20)
        open_page(page, lab.at(steps=steps))
        upload(page, path)
        expect(page.get_by_text(f"{name}.csv: 20 rows")).to_be_visible()
        press(page, "Train")
        expect(standing(page)).to_be_visible()
    expect(second.get_by_text(re.compile("Next in line|Place"))).to_be_visible()
    expect(first.locator(".chart svg.wide .s0 circle").first).to_be_attached()
    press(first, "Stop")
    trained(first, "stopped")
    trained(second)
    runs = [re.search(r"run=([\w-]+)", page.url)[1] for page in pages]
    assert runs[0] != runs[1]

    for page, mine, other in ((first, "ana", "brais"), (second, "brais", "ana")):
        tab(page, "Runs")
        expect(page.get_by_role("tabpanel").get_by_text(f"{mine}.csv")).to_be_visible()
        assert other not in page.locator("body").inner_text()

    # Not by its address, not by its files either.
    second.goto(f"{lab.url}?run={runs[0]}")
    expect(second.get_by_role("alert").first).to_be_visible()
    assert "ana" not in second.locator("body").inner_text()
    for file in ("adapter.zip", "curves.csv", "curves.png"):
        own = first.context.request.get(f"{lab.url}keep/{file}?run={runs[0]}")
        foreign = second.context.request.get(f"{lab.url}keep/{file}?run={runs[0]}")
        assert (own.status, foreign.status) == (200, 404)
        assert httpx.get(f"{lab.url}keep/{file}?run={runs[0]}").status_code == 404


def test_stop_resume_and_delete(lab, person, stories):
    page = person()
    open_page(page, lab.at(steps=100_000, evaluate_every=500, checkpoint_every=20))
    upload(page, stories)
    expect(page.get_by_text("my stories.csv: 40 rows")).to_be_visible()
    press(page, "Train")
    expect(page.locator(".chart svg.wide .s0 circle").nth(5)).to_be_attached()
    press(page, "Stop")
    expect(page.get_by_role("button", name=re.compile("Stopping|Resume")).first).to_be_visible()
    trained(page, "stopped")
    expect(page.get_by_role("link", name="Adapter (zip)")).to_be_visible()
    step = int(re.search(r"after ([\d,]+) steps", page.locator(".standing").inner_text())[1])
    assert 0 < step < 100_000
    page.locator(".run").get_by_role("button", name="Resume").click()
    expect(standing(page)).to_have_text("training")
    press(page, "Stop")
    trained(page, "stopped")

    tab(page, "Runs")
    page.get_by_role("checkbox").first.click()
    press(page, "Delete")
    press(page, "Delete for good")
    expect(page.get_by_text("No runs yet")).to_be_visible()


def test_several_runs_lie_over_each_other(lab, person, stories):
    page = person()
    for rank in (1, 8):
        open_page(page, lab.at(steps=10, rank=rank, evaluate_every=2))
        upload(page, stories)
        expect(page.get_by_text("my stories.csv: 40 rows")).to_be_visible()
        press(page, "Train")
        expect(page.locator(".run-title")).to_contain_text(f"rank {rank},")
        trained(page)
    tab(page, "Runs")
    boxes = page.get_by_role("checkbox")
    expect(boxes).to_have_count(2)
    for box in boxes.all():
        box.check()
    panel = page.get_by_role("tabpanel")
    expect(panel.get_by_role("columnheader")).to_have_count(2)
    expect(panel.locator("table")).to_contain_text("Rank")
    assert "Seed" not in panel.locator("table").inner_text()
    with page.expect_download() as download:
        page.get_by_role("link", name="Curves (CSV)").last.click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0] == "run,kind,step,epoch,seconds,loss"
    assert len({line.split(",")[0] for line in lines[1:]}) == 2
    page.get_by_label("Find").fill("rank 1,")
    expect(page.get_by_role("checkbox")).to_have_count(1)
