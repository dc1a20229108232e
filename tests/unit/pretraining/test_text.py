"""What goes in: documents, the part held out, the vocabulary, rare spellings, the batches."""

import random
from collections import Counter

import numpy as np
import pytest
from pretraining import stream, text, vocabulary
from pretraining.respelling import Respeller, disguise

STORIES = [f"Once upon a time, Lily had {n} big red balls. She was happy." for n in range(200)]


@pytest.fixture(scope="module")
def tokenizer():
    return vocabulary.learn(STORIES, 320)


def test_split_keeps_documents_whole_and_apart():
    whole = "\n<|endoftext|>\n".join(STORIES)
    kept, heldout = text.split(whole, 0.05)
    assert kept + heldout == whole
    assert text.documents(kept) + text.documents(heldout) == STORIES
    assert 0.03 < len(heldout) / len(whole) <= 0.05


def test_source_with_and_without_weight():
    assert text.Source.parse("a/b.txt") == text.Source.parse("a/b.txt:1")
    assert text.Source.parse("a/b.txt:2.5").weight == 2.5


@pytest.mark.parametrize(
    "written", ["L’été, où êtes-vous ?", "¿Qué año?", "Größe für Äpfel", "Ó lonxe, a nena"]
)
def test_any_text_is_written_without_loss(tokenizer, written):
    assert tokenizer.decode(tokenizer.encode(written).ids) == written


def test_respelling_reads_back_and_hangs_on_the_seed_alone(tokenizer):
    respeller = Respeller(tokenizer)
    for word, _ in respeller.split(STORIES[0]):
        assert "".join(respeller.pieces(word, random.Random(1))) == word
    assert disguise(STORIES[0], random.Random(1)) == disguise(STORIES[0], random.Random(1))
    once, again = (respeller.encode(STORIES[0], random.Random(2)) for _ in range(2))
    assert once == again


def test_every_piece_of_the_vocabulary_is_met(tokenizer):
    respelt = stream.respell(STORIES * 40, tokenizer, 1.0, seed=0)
    met = Counter(respelt.ids.tolist())
    pad = tokenizer.token_to_id(vocabulary.PAD)
    assert all(met[id] >= 5 for id in range(320) if id != pad)
    assert met[pad] == 0


def test_a_batch_hangs_on_seed_and_step_alone(tokenizer):
    def made(seed, step):
        plain = stream.encode(STORIES, tokenizer, 1.0)
        respelt = stream.respell(STORIES, tokenizer, 0.5, seed=0)
        return stream.Stream([plain], respelt, seed, begin=1).batch(step, rows=4, length=32)

    ids, targets = made(3, 5)
    again, _ = made(3, 5)
    assert ids.shape == (4, 32)
    assert ids.equal(again)
    assert not ids.equal(made(3, 6)[0])
    assert not ids.equal(made(4, 5)[0])
    counted = targets[:, :-1] >= 0
    assert ids[:, 1:][counted].equal(targets[:, :-1][counted])
    assert (ids[:, 1:][~counted] == 1).all(), "only a begin is no target"
    assert made(3, stream.LONG_EVERY - 1)[0].shape == (2, 64)


def test_documents_lie_between_begin_and_end(tokenizer):
    tokens = stream.encode(STORIES[:3], tokenizer, 1.0)
    assert (tokens.ids[tokens.starts] == 1).all()
    assert np.count_nonzero(tokens.ids == 2) == 3
