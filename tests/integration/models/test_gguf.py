"""GGUF files: what comes out is what was packed."""

import random
from contextlib import suppress

import pytest
import torch

from lora_lab.errors import LabError
from lora_lab.models import loading, sources
from tests import tiny_models
from tests.expecting import lab_error
from tests.integration.models.packed import write_gguf
from tests.tiny_tokenizers import CHATML, byte_level

IDS = torch.tensor([[5, 80, 300, 7, 399]])


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed")
    model = tiny_models.save("llama", folder / "original")
    write_gguf(model, folder / "tiny.gguf")
    write_gguf(model, folder / "small.gguf", "Q8_0")
    return folder, model


def test_an_unquantised_gguf_gives_the_model_back_bit_for_bit(packed):
    folder, original = packed
    local = sources.fetch(str(folder / "tiny.gguf"))
    assert local.source == f"gguf:{folder / 'tiny.gguf'}"
    model, _ = loading.load(local, torch.float32)
    with torch.no_grad():
        assert torch.equal(model(IDS).logits, original(IDS).logits)
    assert loading.base_hash(local.folder) == loading.base_hash(folder / "original")


def test_a_quantised_one_is_near_and_not_the_same_bits(packed):
    folder, original = packed
    local = sources.fetch(str(folder / "small.gguf"))
    model, _ = loading.load(local, torch.float32)
    with torch.no_grad():
        assert torch.allclose(model(IDS).logits, original(IDS).logits, atol=0.02)
    assert loading.base_hash(local.folder) != loading.base_hash(folder / "original")


def test_its_tokenizer_and_template_come_with_it(packed):
    _, tokenizer = loading.load(sources.fetch(str(packed[0] / "tiny.gguf")), torch.float32)
    original = byte_level(CHATML)
    text = "A avoa contáballe contos: «Había unha vez» 🙂\n\n\tfin "
    assert tokenizer(text)["input_ids"] == original(text)["input_ids"]
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<|im_start|>", "<|im_end|>")
    assert tokenizer.model_max_length == 64
    turns = [{"role": "user", "content": "Ola"}]
    asked = {"add_generation_prompt": True, "tokenize": False}
    assert tokenizer.apply_chat_template(turns, **asked) == original.apply_chat_template(
        turns, **asked
    )
    marked = tokenizer("<|im_start|>user")["input_ids"]
    assert marked[0] == tokenizer.bos_token_id


def test_a_vocabulary_of_single_digits_is_split_so(packed):
    _, tokenizer = loading.load(sources.fetch(str(packed[0] / "tiny.gguf")), torch.float32)
    pieces = tokenizer.convert_ids_to_tokens(tokenizer("x 2026!")["input_ids"])
    assert [piece for piece in pieces if piece.isdigit()] == ["2", "0", "2", "6"]
    assert "Ġ" in pieces  # the space stands apart from a digit, as in SmolLM2's own tokenizer


def test_it_is_converted_once_for_as_long_as_it_stays_the_same(packed, tmp_path):
    file = tmp_path / "m.gguf"
    write_gguf(packed[1], file)
    told = []
    first = sources.fetch(str(file), told.append)
    assert [p.phase for p in told] == ["converting"]
    assert sources.is_here(str(file)) and sources.fetch(str(file), told.append) == first
    assert len(told) == 1
    write_gguf(tiny_models.save("llama", tmp_path / "other", seed=1), file)
    assert not sources.is_here(str(file))
    assert sources.fetch(str(file)).folder != first.folder


@pytest.mark.parametrize("kept", [0, 3, 40, 2000, -100])
def test_a_damaged_file_is_said(packed, tmp_path, kept):
    file = tmp_path / "cut.gguf"
    file.write_bytes((packed[0] / "tiny.gguf").read_bytes()[:kept])
    with lab_error("gguf_corrupt", file="cut.gguf"):
        sources.fetch(str(file))


@pytest.mark.parametrize("seed", range(12))
def test_a_file_with_wrong_bytes_loads_or_is_refused(packed, tmp_path, seed):
    draw = random.Random(seed)
    body = bytearray((packed[0] / "tiny.gguf").read_bytes())
    for _ in range(3):
        body[draw.randrange(12_000)] = draw.randrange(256)
    file = tmp_path / "wrong.gguf"
    file.write_bytes(body)
    with suppress(LabError):
        loading.load(sources.fetch(str(file)), torch.float32)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with lab_error("no_such_file"):
        sources.fetch(str(tmp_path / "nothing.gguf"))


def test_an_architecture_nobody_knows_is_said(packed, tmp_path):
    file = tmp_path / "odd.gguf"
    body = (packed[0] / "tiny.gguf").read_bytes()
    file.write_bytes(body.replace(b"llama", b"lamma"))
    with lab_error("unsupported_architecture"):
        sources.fetch(str(file))
