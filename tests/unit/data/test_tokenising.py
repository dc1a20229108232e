"""Tokenising: what is trained on is exactly the answers; what is shown is exactly the ids."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_lab.config import Settings
from lora_lab.data import tokenising
from lora_lab.data.dataset import Dataset
from lora_lab.data.previewing import pieces, preview
from lora_lab.errors import LabError
from tests.tiny_tokenizers import CHATML, NO_SYSTEM, byte_level, word_marked

LLAMA_CHAT = (
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + message['content'] + ' [/INST]' }}{% else %}"
    "{{ ' ' + message['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
)
# The answers marked by the template's author, which transformers itself can turn into a mask.
MARKED = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}"
    "{{ message['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}{{ '\n' }}{% endfor %}"
)
PLAIN, CHATTY, MODEL = byte_level(), byte_level(CHATML), byte_level(NO_SYSTEM)
LLAMA = word_marked()
TOKENIZERS = {"plain": PLAIN, "chatml": CHATTY, "llama": LLAMA}
WILD = "Había unha vez 👩‍👩‍👧‍👦 e un raposo 🦊: «que \u0301acento», ¿eh? \ufffd 한국어"
CONTENT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
ANSWER = CONTENT | st.sampled_from(["user", "assistant", "a", "\n", "im_end", "Hi"]).filter(
    str.strip
)


def dataset(shape: str, *examples: dict) -> Dataset:
    return Dataset("a.csv", shape, {}, [{**e, "row": i} for i, e in enumerate(examples, 2)])


def chat(*contents: str, system: str | None = None) -> dict:
    roles = ["user", "assistant"] * len(contents)
    messages = [{"role": r, "content": c} for r, c in zip(roles, contents, strict=False)]
    start = [{"role": "system", "content": system}] if system else []
    return {"messages": start + messages}


def trained(encoded: tokenising.Encoded, tokenizer) -> str:
    ids = [i for i, counts in zip(encoded.ids, encoded.supervised, strict=True) if counts]
    return tokenizer.decode(ids)


# Masks


@given(question=CONTENT, answer=ANSWER, again=CONTENT, last=ANSWER)
def test_chat_trains_on_answers_and_their_end_tokens_alone(question, answer, again, last):
    data = dataset("chat", chat(question, answer, again, last, system="Be kind."))
    (encoded,) = tokenising.encode(data, CHATTY, 100_000)
    assert trained(encoded, CHATTY) == f"{answer}<|im_end|>{last}<|im_end|>"


@given(contents=st.lists(ANSWER, min_size=2, max_size=6).filter(lambda c: len(c) % 2 == 0))
def test_the_mask_is_the_one_of_a_template_that_marks_its_answers(contents):
    data = dataset("chat", chat(*contents))
    marked = byte_level(MARKED)
    (encoded,) = tokenising.encode(data, marked, 100_000)
    oracle = marked.apply_chat_template(
        data.examples[0]["messages"], return_assistant_tokens_mask=True, return_dict=True
    )
    assert encoded.ids == oracle["input_ids"]
    assert encoded.supervised == [bool(counts) for counts in oracle["assistant_masks"]]


@given(prompt=CONTENT, answer=ANSWER)
def test_a_prompt_is_context_and_a_response_is_trained_on(prompt, answer):
    data = dataset("prompt", {"prompt": prompt, "response": answer})
    (encoded,) = tokenising.encode(data, CHATTY, 100_000)
    assert trained(encoded, CHATTY) == answer + "<|im_end|>"
    whole = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>\n"
    assert CHATTY.decode(encoded.ids) == whole


def test_without_a_template_a_response_ends_with_the_end_token():
    data = dataset("prompt", {"prompt": "What is LoRA?", "response": "A small matrix 🦊."})
    (encoded,) = tokenising.encode(data, PLAIN, 100)
    assert PLAIN.decode(encoded.ids) == "What is LoRA?\nA small matrix 🦊.<|im_end|>"
    assert trained(encoded, PLAIN) == "A small matrix 🦊.<|im_end|>"


def test_a_template_that_trims_and_renames_roles():
    data = dataset("chat", chat("  model ", " model\n", "model", "model"))
    (encoded,) = tokenising.encode(data, MODEL, 100)
    assert trained(encoded, MODEL) == "model<end>model<end>"


def test_a_template_that_spaces_its_answers():
    tokenizer = word_marked(LLAMA_CHAT)
    data = dataset("chat", chat("INST small", "a small boat", "again", "a boat"))
    (encoded,) = tokenising.encode(data, tokenizer, 100)
    assert trained(encoded, tokenizer) == "a small boat </s>a boat </s>"


def test_a_template_with_no_place_for_a_system_message_is_said():
    data = dataset("chat", chat("a", "b"), chat("a", "b", system="Be kind."))
    with pytest.raises(LabError) as refused:
        tokenising.encode(data, MODEL, 100)
    assert refused.value.key == "template_no_system"
    assert refused.value.where == {"file": "a.csv", "row": 3}


@pytest.mark.parametrize(
    ("template", "key"),
    [
        ("{{ messages[0]['content'] }}", "template_hides_answer"),
        ("{% for m in messages %}{{ m['content'] | upper }}{% endfor %}", "template_hides_answer"),
        ("{{ raise_exception('no') }}", "template_refused"),
        ("{{ messages[7]['content'] }}", "template_refused"),
        ("{{ 1 // 0 }}", "template_refused"),
    ],
)
def test_a_template_that_cannot_be_followed_is_said(template, key):
    with pytest.raises(LabError) as refused:
        tokenising.encode(dataset("chat", chat("a", "b")), byte_level(template), 100)
    assert refused.value.key == key


def test_chats_need_a_template():
    with pytest.raises(LabError) as refused:
        tokenising.encode(dataset("chat", chat("a", "b")), PLAIN, 100)
    assert refused.value.key == "chat_without_template"


# Texts and streams


def test_a_text_begins_as_the_model_expects_and_ends():
    (encoded,) = tokenising.encode(dataset("text", {"text": "a boat"}), LLAMA, 100)
    assert LLAMA.decode(encoded.ids) == "<s> a boat</s>"
    assert encoded.supervised == [False] + [True] * (len(encoded.ids) - 1)
    (encoded,) = tokenising.encode(dataset("text", {"text": "a boat"}), PLAIN, 100)
    assert PLAIN.decode(encoded.ids) == "a boat<|im_end|>"


@given(length=st.integers(8, 40), words=st.integers(1, 200))
def test_a_stream_is_cut_into_windows_that_join_again(length, words):
    text = "raposo 🦊 " * words
    encoded = tokenising.encode(dataset("stream", {"text": text}), PLAIN, length)
    assert all(len(window.ids) == length for window in encoded[:-1])
    ids = [i for window in encoded for i in window.ids]
    assert text.startswith(PLAIN.decode(ids).rstrip("\ufffd"))
    assert len(text) - len(PLAIN.decode(ids)) <= 1  # a last window of one token teaches nothing
    windows = tokenising.encode(dataset("stream", {"text": text}), LLAMA, length)
    assert all(window.ids[0] == LLAMA.bos_token_id for window in windows)
    assert not any(window.cut for window in encoded + windows)


def test_what_just_fits_is_not_cut():
    data = dataset("text", {"text": "a boat"})
    (whole,) = tokenising.encode(data, PLAIN, 100)
    assert tokenising.encode(data, PLAIN, len(whole.ids)) == [whole]
    (cut,) = tokenising.encode(data, PLAIN, len(whole.ids) - 1)
    assert (cut.ids, cut.cut) == (whole.ids[:-1], True)


def test_what_is_too_long_is_cut_and_what_keeps_no_answer_is_left_out():
    rows = [
        {"prompt": "a", "response": "boat " * 50},
        {"prompt": "boat " * 50, "response": "a"},
        {"prompt": "a", "response": "b"},
    ]
    encoded = tokenising.encode(dataset("prompt", *rows), PLAIN, 20)
    assert [(e.row, len(e.ids) == 20, e.cut) for e in encoded] == [
        (2, True, True),
        (4, False, False),
    ]
    told = preview(dataset("prompt", *rows, rows[2]), PLAIN, Settings(max_length=20))
    assert (told["rows"], told["rows_cut"], told["left_out"]) == (3, 1, 1)
    with pytest.raises(LabError) as refused:
        tokenising.encode(dataset("prompt", rows[1]), PLAIN, 20)
    assert refused.value.key == "nothing_fits"


# Previews


@pytest.mark.parametrize("name", TOKENIZERS)
@given(
    text=CONTENT | st.text("🦊👩‍ñá \n\ufffd한", min_size=1).filter(str.strip),
    length=st.integers(8, 60),
)
def test_pieces_join_to_exactly_what_the_ids_decode_to(name, text, length):
    tokenizer = TOKENIZERS[name]
    for shape, example in (("text", {"text": text}), ("prompt", {"prompt": "a", "response": text})):
        for encoded in tokenising.encode(dataset(shape, example), tokenizer, length + 30):
            found = pieces(encoded, tokenizer)
            assert "".join(text for text, _ in found) == tokenizer.decode(encoded.ids)


def test_a_character_of_many_tokens_is_one_piece():
    (encoded,) = tokenising.encode(dataset("text", {"text": WILD}), PLAIN, 1000)
    assert len(encoded.ids) > len(pieces(encoded, PLAIN))
    assert ("🦊", True) in [(text.strip(), counts) for text, counts in pieces(encoded, PLAIN)]


def test_a_preview_is_json_and_counts_everything():
    rows = [{"prompt": "What is LoRA?", "response": f"A small matrix {n}."} for n in range(20)]
    told = preview(dataset("prompt", *rows), CHATTY, Settings())
    assert json.loads(json.dumps(told))["examples"][0]["tokens"] > 10
    assert (told["rows"], told["heldout_rows"], len(told["examples"])) == (20, 2, 3)
    shown = told["examples"][0]
    answer = "".join(text for text, counts in shown["pieces"] if counts)
    assert answer == rows[shown["row"] - 2]["response"] + "<|im_end|>"
    everything = tokenising.encode(dataset("prompt", *rows), CHATTY, 256)
    assert told["tokens"] == sum(len(e.ids) for e in everything)
    assert told["supervised"] == sum(sum(e.supervised) for e in everything)


# Splits


@given(count=st.integers(2, 300), share=st.floats(0.01, 0.5), seed=st.integers(0, 2**31 - 1))
def test_a_split_is_disjoint_complete_and_pure_in_the_seed(count, share, seed):
    data = dataset("text", *({"text": f"{n}"} for n in range(count)))
    train, heldout = tokenising.split(data, share, seed)
    assert train.examples and heldout.examples
    both = sorted(train.examples + heldout.examples, key=lambda e: e["row"])
    assert both == data.examples
    assert abs(len(heldout.examples) - share * count) <= 1
    assert tokenising.split(data, share, seed) == (train, heldout)


def test_seeds_draw_differently():
    data = dataset("text", *({"text": f"{n}"} for n in range(100)))
    drawn = [tokenising.split(data, 0.1, seed)[1].examples for seed in (0, 1)]
    assert drawn[0] != drawn[1]


@given(
    words=st.lists(st.text("añ🦊", min_size=4, max_size=20), min_size=60),
    share=st.floats(0.01, 0.5),
)
def test_a_stream_holds_out_its_end(words, share):
    text = " ".join(words)
    train, heldout = (
        part.examples[0]["text"]
        for part in tokenising.split(dataset("stream", {"text": text}), share, 0)
    )
    assert train + heldout == text
    assert heldout.startswith(" ")
    assert share * len(text) - 1 <= len(heldout) <= share * len(text) + 22


def test_a_stream_without_spaces_is_cut_where_the_share_says():
    text = "题 " + "字" * 998
    _, heldout = tokenising.split(dataset("stream", {"text": text}), 0.1, 0)
    assert heldout.examples[0]["text"] == "字" * 100


@pytest.mark.parametrize("shape", ["text", "stream"])
def test_too_short_to_split(shape):
    with pytest.raises(LabError) as refused:
        tokenising.split(dataset(shape, {"text": "a " * 99}), 0.1, 0)
    assert refused.value.key.endswith("too_short_to_split")
