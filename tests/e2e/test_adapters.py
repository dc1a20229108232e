"""The Adapters tab: bring two, name, delete and bring back, mix, prove, merge, and use them."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Locator, Page, expect

from lora_lab.lora import peft_format
from lora_lab.lora.adapter import Adapter
from lora_lab.shelf import archive
from tests.e2e.steps import open_page, pick, press, tab, upload


@pytest.fixture(scope="module")
def zips(lab, tmp_path_factory) -> dict[str, Path]:
    """Two adapters for the tiny model, of unequal rank and targets, and a zip that is a trap."""
    place = tmp_path_factory.mktemp("zips")
    made = {}
    for name, rank, ends in (("boats", 2, ["q_proj"]), ("pirates", 4, ["q_proj", "o_proj"])):
        draws = torch.Generator().manual_seed(rank)
        tensors = {
            f"model.layers.{layer}.self_attn.{end}": (
                torch.randn(rank, 32, generator=draws),
                torch.randn(32, rank, generator=draws),
            )
            for layer in range(2)
            for end in ends
        }
        facts = {"base": {"model": str(lab.model)}, "data": {"name": f"{name}.csv"}}
        peft_format.save(place / name, Adapter(rank, 4.0, tensors), str(lab.model), facts)
        made[name] = place / f"{name}.zip"
        archive.pack(place / name, made[name])
    made["trap"] = place / "trap.zip"
    archive.pack(place / "boats", made["trap"], {"../../trap.py": "import os"})
    return made


def bring(page: Page, *files: Path) -> None:
    """Upload zips to the shelf; the last one is chosen."""
    page.get_by_role("button", name="Bring an adapter").click()
    for file in files:
        upload(page, file, "Upload a zip")
        expect(page.get_by_text(f"“{file.stem}” is on the shelf")).to_be_visible()
        expect(page.locator(".shelved h2")).to_have_text(file.stem)


def choose(page: Page, *names: str) -> None:
    """Have exactly these chosen on the shelf."""
    for box in page.locator(".run-list:visible input[type=checkbox]").all():
        label = box.locator("xpath=ancestor::label").inner_text()
        box.set_checked(label.startswith(names))
    expect(page.locator(".shelved")).to_have_count(len(names))


def number(page: Page, help: str) -> Locator:
    """The field whose line of help begins so."""
    block = f".block:has-text('{help}'):not(:has(.block))"
    return page.locator(f"{block} input[type=number]")


@pytest.fixture
def shelf(lab, person, zips) -> Page:
    page = person()
    open_page(page, lab.at())
    tab(page, "Adapters")
    expect(page.get_by_text("No adapters yet")).to_be_visible()
    bring(page, zips["boats"], zips["pirates"])
    return page


def test_bring_name_delete_and_bring_back(lab, person, shelf, zips):
    page = shelf
    upload(page, zips["trap"], "Upload a zip")
    expect(page.get_by_role("alert")).to_contain_text("outside of its folder")
    expect(page.locator(".run-list:visible input")).to_have_count(2)

    choose(page, "boats")
    card = page.locator(".shelved")
    expect(card).to_contain_text("boats.csv")
    expect(card).to_contain_text("q_proj")
    page.get_by_label("What you call it").fill("little <b>boats</b>")
    page.get_by_label("Tags").fill("sea, small")
    press(page, "Save name and tags")
    expect(card.locator("h2")).to_have_text("little <b>boats</b>")
    expect(card.locator(".state")).to_have_text(["sea", "small"])
    with page.expect_download() as download:
        page.get_by_role("link", name="Adapter with its card (zip)").click()
    with zipfile.ZipFile(download.value.path()) as opened:
        assert "boats.csv" in opened.read("README.md").decode()
        assert "adapter_model.safetensors" in opened.namelist()

    address = page.get_by_role("link", name="Adapter with its card (zip)").get_attribute("href")
    other = person()
    open_page(other, lab.at())
    tab(other, "Adapters")
    expect(other.get_by_text("No adapters yet")).to_be_visible()
    assert other.request.get(lab.url.rstrip("/") + str(address)).status == 404

    press(page, "Take off the shelf")
    expect(page.locator(".run-list:visible input")).to_have_count(1)
    press(page, "Put it back")
    expect(card.locator("h2")).to_have_text("little <b>boats</b>")
    page.reload()
    tab(page, "Adapters")
    expect(page.locator(".run-list:visible input")).to_have_count(2)


def test_mix_prove_and_merge(lab, shelf):
    page = shelf
    choose(page, "boats", "pirates")
    press(page, "See what it loses")
    expect(page.get_by_text("Nothing is lost")).to_be_visible()
    page.get_by_label("Sum, compressed to a rank").check()
    number(page, "Of the mixture").fill("1")
    press(page, "See what it loses")
    expect(page.get_by_text(re.compile(r"[\d.]+% of the mixture is lost"))).to_be_visible()
    page.get_by_label("Exact sum").check()
    page.get_by_label("Its name").fill("both")
    press(page, "Save as adapter")
    card = page.locator(".shelved")
    expect(card).to_have_count(1)
    expect(card.locator("h2")).to_have_text("both")
    expect(card).to_contain_text("0.5 × ")
    expect(card).to_contain_text("6 · 6")

    page.get_by_role("button", name="Prove it").click()
    press(page, "Prove")
    proof = page.locator("ul.proof").last
    expect(proof).to_contain_text("bit for bit")
    expect(proof).to_contain_text("16 of 16 greedy tokens")

    page.get_by_role("button", name="Merge into the base").click()
    press(page, "Merge")
    expect(page.get_by_text("Merged in float32")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="The whole model (zip)").click()
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as opened:
        assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(opened.namelist())


def test_swap_and_mix_live_in_compare(lab, shelf):
    page = shelf
    tab(page, "Compare")
    first = page.get_by_label("Adapter 1")
    expect(first).to_have_value("pirates")
    page.get_by_label("Prompt").fill("the cat")
    press(page, "Write")
    expect(page.locator(".answer").nth(1)).to_contain_text("ms a token")
    expect(page.locator(".answer h2").nth(1)).to_contain_text("pirates")
    pick(page, "Adapter 1", "boats")
    press(page, "Add an adapter")
    pick(page, "Adapter 2", "pirates")
    page.get_by_label("One more column: their mixture").check()
    press(page, "Write")
    heads = ["base", "boats", "pirates", "mixture of them"]
    expect(page.locator(".answer h2")).to_have_text([re.compile(head, re.I) for head in heads])
    expect(page.locator(".answer").nth(3)).to_contain_text("ms a token")
