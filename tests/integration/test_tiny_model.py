"""The model in the box: what its card says of it is so, with no network."""

import hashlib
import json
import math
import socket
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from lora_lab import lab
from lora_lab.config import Settings
from lora_lab.runs import folder
from lora_lab.runs.worker import run_to_its_end

ASSETS = Path(__file__).parents[2] / "assets"
MODEL = ASSETS / "tiny-stories"


@pytest.fixture(scope="module")
def loaded():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        model = AutoModelForCausalLM.from_pretrained(MODEL, use_safetensors=True)
        return model.eval(), AutoTokenizer.from_pretrained(MODEL)


def refuse(*_):
    raise AssertionError("the model in the box needs no network")


def test_files_are_those_of_the_card():
    card = (MODEL / "README.md").read_text()
    for name in ("model.safetensors", "tokenizer.json"):
        assert hashlib.sha256((MODEL / name).read_bytes()).hexdigest() in card
    assert sum(path.stat().st_size for path in MODEL.iterdir()) <= 8_000_000


def test_it_is_a_plain_llama_of_one_to_two_million(loaded):
    model, tokenizer = loaded
    assert type(model) is LlamaForCausalLM
    assert 1e6 <= model.num_parameters() <= 2e6
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    special = [tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id]
    assert special == [0, 1, 2]
    chosen = model.generation_config
    assert [chosen.pad_token_id, chosen.bos_token_id, chosen.eos_token_id] == special


@torch.no_grad()
def bits_per_byte(model, tokenizer, stories):
    nats = 0.0
    for story in stories:
        ids = torch.tensor([[*tokenizer(story).input_ids, tokenizer.eos_token_id]])
        nats += model(ids, labels=ids).loss.item() * (ids.shape[1] - 1)
    return nats / math.log(2) / sum(len(story.encode()) for story in stories)


def test_it_foretells_english_it_never_saw(loaded):
    stories = (ASSETS / "heldout-english.txt").read_text().split("\n\n")
    assert len(stories) == 13
    assert bits_per_byte(*loaded, stories) < 1.3


@pytest.mark.parametrize(
    "written",
    [
        "Où est passée la fée ? « Là-bas, près du chêne », dit l’œuf à Noël.",
        "Die süße Füchsin aß Äpfel und größere Öre – „Schön!“, rief sie.",
        "¿Dónde está el pingüino, niña? —¡Aquí! —gritó el camión rápido.",
        "A rapaza galega díxolle ao avó: «Mañá imos á praia, non si?» Ó ñandú tamén.",
        "🦊 一 tab\there,  two spaces\n\nand lines",
    ],
)
def test_its_tokenizer_writes_any_language_without_loss(loaded, written):
    _, tokenizer = loaded
    ids = tokenizer(written).input_ids
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(ids, skip_special_tokens=True) == written


def test_every_piece_was_trained(loaded):
    """A row of the embedding that training never met would keep the size of its first noise, or
    decay to nothing; each has been moved to a size of the others' order."""
    model, tokenizer = loaded
    sizes = model.get_input_embeddings().weight.norm(dim=1)[len(tokenizer.all_special_ids) :]
    assert sizes.min() > sizes.median() / 4
    assert sizes.max() < sizes.median() * 4


def test_a_story_begins_without_a_prompt_and_ends(loaded):
    model, tokenizer = loaded
    torch.manual_seed(0)
    begin = torch.full((8, 1), tokenizer.bos_token_id)
    told = model.generate(begin, attention_mask=torch.ones_like(begin), max_new_tokens=400)
    assert (told == tokenizer.eos_token_id).any(1).float().mean() >= 0.5
    for text in tokenizer.batch_decode(told, skip_special_tokens=True):
        assert text[0].isupper() or not text[0].isalpha()


def test_the_recipe_beside_the_weights_names_what_made_them():
    recipe = json.loads((MODEL / "recipe.json").read_text())
    config = json.loads((MODEL / "config.json").read_text())
    assert recipe["shape"]["vocabulary"] == config["vocab_size"]
    assert recipe["texts"][0][0] == "tinystories.txt"


def heldout(data: str, rank: int) -> tuple[float, float]:
    """The held-out loss before and after a short run."""
    settings = Settings(
        data=data, rank=rank, alpha=2.0 * rank, steps=40, evaluate_every=40, sample_every=40
    )
    run = folder.find(lab.start(settings, "test"))
    run_to_its_end(run)
    result = run.result()
    return result["heldout_loss_before"], result["heldout_loss"]


def test_forty_steps_learn_the_near_task():
    before, after = heldout("pirate-stories", 8)
    assert after < before - 1.5


def test_on_the_far_task_rank_8_learns_more_than_rank_1():
    before, one = heldout("german-stories", 1)
    _, eight = heldout("german-stories", 8)
    assert eight < one - 0.2 < before - 1
