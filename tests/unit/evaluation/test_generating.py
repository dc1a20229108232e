"""One batched pass against model.generate, one by one, and against what it promises."""

from dataclasses import replace

import pytest
import torch

from lora_lab.errors import LabError
from lora_lab.evaluation.generating import stream
from lora_lab.lora import prefix
from lora_lab.lora.adapter import Adapter
from lora_lab.lora.attaching import add, attach, detach, extract, layers
from lora_lab.models import prefixed

PROMPTS = ["Once upon a time", "The cat", "¿Qué?"]


def texts(steps, prompts, columns):
    """prompt -> column -> text, and the last piece of each."""
    written = [["" for _ in range(columns)] for _ in range(prompts)]
    last = {}
    for pieces in steps:
        for piece in pieces:
            assert (
                last.get((piece.prompt, piece.column)) is None
                or not last[piece.prompt, piece.column].ended
            )
            written[piece.prompt][piece.column] += piece.text
            last[piece.prompt, piece.column] = piece
    assert all(piece.ended for piece in last.values())
    return written, last


def generated(model, tokenizer, prompt, **asked):
    """The library's own answer to one prompt, with nothing batched."""
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, pad_token_id=256, **asked
    )
    return tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)


def paths(model):
    """Two matrices a layer, by what both architectures call them."""
    ends = ("q_proj", "v_proj", "c_attn")
    return [name for name, _ in model.named_modules() if name.endswith(ends)]


def two_adapters(model):
    """ "one" and "two": random adapters large enough to change every answer."""
    generator = torch.Generator().manual_seed(3)
    routing = attach(model, "one", paths(model), 4, 8.0)
    for name in ("one", "two"):
        tensors = {}
        for path in paths(model):
            base = model.get_submodule(path).base
            inputs, outputs = (
                base.weight.shape if name_of(base) == "Conv1D" else base.weight.shape[::-1]
            )
            tensors[path] = (
                torch.randn(4, inputs, generator=generator),
                torch.randn(outputs, 4, generator=generator) / 4,
            )
        add(model, name, Adapter(4, 8.0, tensors))
    return routing


def name_of(module):
    return type(module).__name__


def test_batch_equals_generate_one_by_one(model, tokenizer):
    written, _ = texts(stream(model, tokenizer, None, PROMPTS, [None], 30), 3, 1)
    alone = [generated(model, tokenizer, prompt, max_new_tokens=30) for prompt in PROMPTS]
    assert [w[0] for w in written] == alone
    assert len(set(alone)) == 3


def test_each_column_equals_generate_through_its_adapter_alone(model, tokenizer):
    routing = two_adapters(model)
    columns = [("one", 1.0), None, ("two", 1.0), ("one", 0.5)]
    written, _ = texts(stream(model, tokenizer, routing, PROMPTS, columns, 24), 3, 4)
    for column, choice in enumerate(columns):
        routing.all(*choice) if choice else routing.off()
        alone = [generated(model, tokenizer, prompt, max_new_tokens=24) for prompt in PROMPTS]
        assert [w[column] for w in written] == alone
    assert len({*written[0]}) == 4


@torch.no_grad()
def read_anew(model, tokenizer, prompt, tokens):
    """One answer with the whole text read for each token: no padding, no mask, nothing kept."""
    ids = tokenizer.encode(prompt)
    asked = len(ids)
    while len(ids) < asked + tokens and (len(ids) == asked or ids[-1] != 256):
        row = torch.tensor([ids])
        logits = model(input_ids=row, use_cache=False, **prefixed.past(model, 1)).logits
        ids.append(int(logits[0, -1].argmax()))
    return tokenizer.decode(ids[asked:], skip_special_tokens=True)


def test_each_row_has_its_own_prefix_or_none(model, tokenizer):
    """Prefixes of two lengths, one with LoRA beside it, LoRA alone and the base in one batch."""
    routing = two_adapters(model)
    add(model, "short", Adapter(0, 0, {}, prefix=prefix.gaussian(model, 2, seed=1)))
    add(model, "long", Adapter(0, 0, {}, prefix=prefix.gaussian(model, 7, seed=2)))
    together = replace(extract(model, "one"), prefix=prefix.gaussian(model, 4, seed=3))
    add(model, "both", together)
    columns = [("long", 1.0), None, ("both", 1.0), ("one", 1.0), ("short", 0.5), ("long", 0.0)]
    written, _ = texts(stream(model, tokenizer, routing, PROMPTS, columns, 20), 3, 6)
    for column, choice in enumerate(columns):
        routing.all(*choice) if choice else routing.off()
        alone = [read_anew(model, tokenizer, prompt, 20) for prompt in PROMPTS]
        assert [w[column] for w in written] == alone
    assert len({*written[0]}) == 5


def test_a_prefix_takes_positions_of_the_context(model, tokenizer, monkeypatch):
    monkeypatch.setattr("lora_lab.evaluation.generating.end_tokens", lambda *_: set())
    add(model, "p", Adapter(0, 0, {}, prefix=prefix.gaussian(model, 10, seed=1)))
    columns = [None, ("p", 1.0)]
    routing = prefix.on(model).routing
    room = len("Once upon a time")
    _, last = texts(stream(model, tokenizer, routing, PROMPTS[:1], columns, 96), 1, 2)
    ends = {column: piece for (_, column), piece in last.items()}
    assert [ends[column].ended for column in (0, 1)] == ["context", "context"]
    assert [ends[column].tokens for column in (0, 1)] == [96 - room, 96 - room - 10]
    with pytest.raises(LabError) as caught:
        next(stream(model, tokenizer, routing, ["a" * 90], columns, 4))
    assert caught.value.key == "prompt_too_long"


def test_strength_0_is_the_base_to_the_letter_under_sampling(model, tokenizer):
    routing = two_adapters(model)
    columns = [None, ("one", 0.0), ("one", 1.0), ("two", 0)]
    written, _ = texts(
        stream(model, tokenizer, routing, PROMPTS, columns, 40, temperature=1.0, top_p=0.9, seed=5),
        3,
        4,
    )
    for base, zero, one, other_zero in written:
        assert zero == base == other_zero != one


def test_an_untrained_adapter_meets_the_same_luck_as_the_base(model, tokenizer):
    """B = 0: the logits are equal and nothing is shared but the draws."""
    routing = attach(model, "new", paths(model), 4, 8.0)
    written, _ = texts(
        stream(model, tokenizer, routing, PROMPTS, [None, ("new", 1.0)], 40, temperature=1.2),
        3,
        2,
    )
    assert all(base == new for base, new in written)


def test_seed_alone_decides_and_company_does_not(model, tokenizer):
    def sampled(prompts, seed):
        steps = stream(model, tokenizer, None, prompts, [None], 30, temperature=1.0, seed=seed)
        return [w[0] for w in texts(steps, len(prompts), 1)[0]]

    assert sampled(PROMPTS, 1) == sampled(PROMPTS, 1)
    assert sampled(PROMPTS, 1) != sampled(PROMPTS, 2)
    assert sampled(PROMPTS, 1)[1] == sampled(PROMPTS[1:2], 1)[0]


def test_rows_end_each_at_its_own_end_token(model, tokenizer):
    """Any of several end tokens ends a row; the others go on."""
    free, _ = texts(stream(model, tokenizer, None, PROMPTS, [None], 30), 3, 1)
    (token,) = tokenizer.encode(next(letter for letter in free[0][0][3:] if letter.isascii()))
    model.generation_config.eos_token_id = [256, token]
    written, last = texts(stream(model, tokenizer, None, PROMPTS, [None], 30), 3, 1)
    alone = [generated(model, tokenizer, prompt, max_new_tokens=30) for prompt in PROMPTS]
    assert [w[0] for w in written] == alone
    assert last[0, 0].ended == "end" and free[0][0].startswith(written[0][0])
    assert len({piece.tokens for piece in last.values()}) > 1
    assert {piece.ended for piece in last.values()} <= {"end", "length"}


def test_the_context_ends_an_answer_and_a_prompt_that_fills_it_is_refused(model, tokenizer):
    long, short = "a" * 90, "a" * 20
    model.generation_config.eos_token_id = None
    written, last = texts(stream(model, tokenizer, None, [long, short], [None], 60), 2, 1)
    assert (last[0, 0].ended, last[0, 0].tokens) == ("context", 6)
    assert (last[1, 0].ended, last[1, 0].tokens) == ("length", 60)
    assert written[1][0] == generated(model, tokenizer, short, max_new_tokens=60)
    with pytest.raises(LabError) as caught:
        next(stream(model, tokenizer, None, ["a" * 96], [None], 5))
    assert caught.value.key == "prompt_too_long"


def test_an_empty_prompt_is_refused(model, tokenizer):
    with pytest.raises(LabError) as caught:
        next(stream(model, tokenizer, None, [""], [None], 5))
    assert caught.value.key == "prompt_empty"


def test_the_model_is_left_as_it_was_found(model, tokenizer):
    routing = two_adapters(model)
    routing.all("two", 0.5)
    model.train()
    steps = stream(model, tokenizer, routing, PROMPTS, [None, ("one", 1.0)], 30)
    next(steps)
    assert not model.training
    steps.close()
    assert model.training and (routing.whole, routing.by_row) == (("two", 0.5), None)
    detach(model)


def test_dropout_never_touches_an_answer(model, tokenizer):
    routing = two_adapters(model)
    for module in model.modules():
        if hasattr(module, "dropout") and isinstance(module.dropout, float):
            module.dropout = 0.9
    model.train()
    runs = [
        texts(stream(model, tokenizer, routing, PROMPTS, [("one", 1.0)], 20), 3, 1)[0]
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


def test_a_chat_model_reads_its_template_and_the_system_message(model, chat_tokenizer):
    written, _ = texts(
        stream(model, chat_tokenizer, None, ["hi"], [None], 20, system="Be kind."), 1, 1
    )
    whole = "[system]Be kind.\n[user]hi\n[assistant]"
    assert written[0][0] == generated(model, chat_tokenizer, whole, max_new_tokens=20)


def test_a_template_that_refuses_says_so(model, chat_tokenizer, monkeypatch):
    monkeypatch.setattr(chat_tokenizer, "chat_template", "{{ raise_exception('no system') }}")
    with pytest.raises(LabError) as caught:
        next(stream(model, chat_tokenizer, None, ["hi"], [None], 5, system="x"))
    assert caught.value.key == "template_refuses"


@torch.no_grad()
def test_mixed_rows_see_an_adapter_that_has_learned_on(model):
    """What the layers keep of a batch's adapters is made anew when one changes in place."""
    routing = two_adapters(model)
    routing.rows([None, ("one", 1.0), ("two", 1.0)])
    ids = torch.arange(10).expand(3, -1)
    before = model(ids).logits
    pair = next(iter(layers(model)))[1].get("one")
    pair.B.mul_(2)
    after = model(ids).logits
    assert torch.equal(before[[0, 2]], after[[0, 2]])
    assert not torch.allclose(before[1], after[1])
