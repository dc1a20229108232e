"""A method is chosen on the Train page: what it reads is shown, what it trains is counted."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.steps import open_page, pick, press, trained


def test_a_method_shows_what_it_reads_and_counts_what_it_trains(lab, person):
    page = person()
    open_page(page, lab.at(targets="linear", rank=4))
    alpha = page.get_by_label("Target matrices", exact=True)
    prefix = page.get_by_label("Prefix length (tokens)", exact=True)
    trainable = page.locator(".facts strong").first
    plain = trainable.inner_text()
    expect(alpha.first).to_be_visible()
    expect(prefix).to_have_count(0)

    pick(page, "Method", "DoRA")
    expect(trainable).not_to_have_text(plain)
    expect(page.locator(".drawing").first).to_contain_text("size of each")
    expect(alpha.first).to_be_visible()

    pick(page, "Method", "Prefix tuning")
    expect(prefix.first).to_be_visible()
    expect(alpha).to_have_count(0)
    expect(page.get_by_text("learnt positions stand before the text")).to_be_visible()

    pick(page, "Method", "Full fine-tuning")
    expect(prefix).to_have_count(0)
    expect(page.locator(".facts").first).to_contain_text("Model file")

    page.reload()
    expect(page.locator(".facts").first).to_contain_text("Model file")
    expect(alpha).to_have_count(0)


def test_what_a_tied_model_cannot_adapt_is_said_at_once(lab, person):
    page = person()
    open_page(page, lab.at())
    pick(page, "Target matrices", "Token embeddings")
    expect(page.get_by_role("alert")).to_contain_text("one matrix, used twice")
    pick(page, "Target matrices", "The MLPs")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_the_model_s_own_matrices_can_be_picked(lab, person):
    page = person()
    open_page(page, lab.at(rank=4))
    pick(page, "Target matrices", "up_proj · 2 × (32 → 48)")
    expect(page.locator(".facts strong").first).to_have_text(str(2 * 4 * (32 + 48)))


@pytest.mark.parametrize("settings", [{"method": "dora"}, {"init": "pissa", "rate_ratio": 4}])
def test_it_trains_from_the_page(lab, person, settings):
    page = person()
    open_page(page, lab.at(steps=12, targets="linear", **settings))
    press(page, "Train")
    trained(page)
    expect(page.get_by_role("link", name=re.compile("Adapter"))).to_be_visible()
