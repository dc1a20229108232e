"""Comparing on a model and adapters that lie in folders, as a person's do."""

import copy
import json

import pytest
import torch

from lora_lab.config import Sampling
from lora_lab.data.dataset import Dataset
from lora_lab.errors import LabError
from lora_lab.evaluation import comparing, loaded
from lora_lab.evaluation.comparing import Place, Text, evaluate
from lora_lab.lora import attaching, peft_format, prefix
from lora_lab.lora.adapter import Adapter
from lora_lab.models import loading
from tests import tiny_models

PLACE = Place()
SHORT = {"max_new_tokens": 12}


def compare(model, adapters, prompts, texts, place, measure=True, **sampling):
    sampling = Sampling(**sampling)
    return comparing.compare(model, adapters, prompts, texts, place, sampling, measure=measure)


@pytest.fixture
def folder(model, tokenizer, tmp_path):
    """The model on disk; nothing kept from the test before."""
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    loaded._load.cache_clear()
    yield tmp_path / "model"
    loaded._load.cache_clear()


def adapter(model, to, seed=1, **facts):
    """A random adapter on every attention matrix, saved in a folder."""
    ends = ("q_proj", "v_proj", "c_attn")
    paths = [name for name, _ in model.named_modules() if name.endswith(ends)]
    attaching.attach(model, "made", paths, 4, 8.0, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for _, layer in attaching.layers(model):
        pair = layer.get("made")
        pair.B.data = torch.randn(pair.B.shape, generator=generator) / 4
    peft_format.save(to, attaching.extract(model, "made"), "tiny", facts)
    attaching.detach(model)
    return to


@pytest.fixture
def text():
    examples = [{"text": f"Story {n} of the cat.", "row": n} for n in range(5)]
    return Text(Dataset("stories.csv", "text", {"text": "text"}, examples), 64)


def kinds(events):
    return list(dict.fromkeys(event["kind"] for event in events))


def texts_of(events, columns):
    written = [""] * columns
    for event in events:
        for piece in event.get("pieces", ()):
            written[piece["column"]] += piece["text"]
    return written


def test_events_are_json_and_come_in_order(model, folder, tmp_path, text):
    chosen = adapter(model, tmp_path / "one")
    events = list(
        compare(str(folder), [(chosen, 1.0), (chosen, 0.0)], ["Hi"], [text], PLACE, **SHORT, seed=1)
    )
    assert kinds(events) == ["progress", "warning", "pieces", "figures", "end"]
    json.dumps(events, allow_nan=False)
    base, one, zero = texts_of(events, 3)
    assert base == zero != one
    figures = [event for event in events if event["kind"] == "figures"][-1]
    (heldout,), english = figures["heldout"], figures["base_text"]["losses"]
    assert english[0] == english[2] != english[1]
    assert heldout["name"] == "stories.csv" and heldout["rows"] == 5
    assert heldout["losses"][0] == heldout["losses"][2] != heldout["losses"][1]
    assert len(figures["ms_per_token"]) == 3 and min(figures["ms_per_token"]) > 0


def fine_tuned(model, tokenizer, to):
    """A whole model with weights of its own, as full fine-tuning leaves one."""
    changed = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in changed.parameters():
            parameter.mul_(1.2)
    changed.save_pretrained(to)
    tokenizer.save_pretrained(to)
    peft_format.write_facts(to, {"settings": {"method": "full"}})
    return to


def test_a_whole_model_is_a_column_in_step_with_the_others(
    model, folder, tokenizer, tmp_path, text
):
    whole = fine_tuned(model, tokenizer, tmp_path / "full")
    chosen = adapter(model, tmp_path / "one")
    columns = [(whole, 1.0), (chosen, 1.0), (whole, 0.0)]
    asked = {"max_new_tokens": 12, "temperature": 1.0, "seed": 3}
    events = list(compare(str(folder), columns, ["Hi", "A cat"], [text], PLACE, **asked))
    steps = [event["pieces"] for event in events if event["kind"] == "pieces"]
    assert {(piece["prompt"], piece["column"]) for piece in steps[0]} == {
        (prompt, column) for prompt in range(2) for column in range(4)
    }
    alone = list(compare(str(whole), [], ["Hi", "A cat"], [text], PLACE, **asked))
    base, full, one, off = texts_of(events, 4)
    assert full == texts_of(alone, 1)[0]
    assert base == off and len({base, full, one}) == 3
    told, own = events[-2], alone[-2]
    for name in ("heldout", "base_text"):
        found = told[name][0] if name == "heldout" else told[name]
        wanted = own[name][0] if name == "heldout" else own[name]
        assert found["losses"][1] == pytest.approx(wanted["losses"][0], rel=1e-6)
        assert found["losses"][0] == found["losses"][3] != found["losses"][1]
    assert len(told["ms_per_token"]) == 4


def test_a_model_of_another_vocabulary_is_refused(folder, tokenizer, tmp_path):
    tiny_models.save("llama", tmp_path / "other")
    with pytest.raises(LabError) as caught:
        list(compare(str(folder), [(tmp_path / "other", 1.0)], ["Hi"], [], PLACE, **SHORT))
    assert caught.value.key == "model_reads_other_tokens"


def test_a_prefix_is_a_column_and_says_that_it_has_no_dial(model, folder, tmp_path, text):
    made = Adapter(0, 0, {}, prefix=prefix.gaussian(model, 9, seed=4))
    peft_format.save(tmp_path / "p", made, "tiny", {})
    columns = [(tmp_path / "p", 0.5), (tmp_path / "p", 1.0), (tmp_path / "p", 0.0)]
    events = list(compare(str(folder), columns, ["Hi"], [text], PLACE, **SHORT))
    said = [event for event in events if event.get("key") == "compare.no_dial"]
    assert [event["column"] for event in said] == [1]
    base, half, one, off = texts_of(events, 4)
    assert base == off != one == half
    losses = events[-2]["heldout"][0]["losses"]
    assert losses[0] == losses[3] != losses[1] == losses[2]


def test_seven_adapters_beside_the_base_and_no_more(model, folder, tmp_path):
    chosen = [(adapter(model, tmp_path / str(n), seed=n), 1.0) for n in range(1, 9)]
    asked = {**SHORT, "measure": False}
    events = list(compare(str(folder), chosen[:7], ["Hi"], [], PLACE, **asked))
    assert all(texts_of(events, 8))
    with pytest.raises(LabError) as caught:
        list(compare(str(folder), chosen, ["Hi"], [], PLACE, **asked))
    assert caught.value.key == "too_many_columns"


def test_strength_is_a_dial_on_the_scale(model, folder, tmp_path, text):
    """Half the strength is the adapter with half its alpha; minus one takes it away again."""
    chosen = adapter(model, tmp_path / "one")
    halved = peft_format.load(chosen)
    halved = type(halved)(**{**vars(halved), "alpha": halved.alpha / 2})
    peft_format.save(tmp_path / "half", halved, "tiny", {})
    columns = [(chosen, 0.5), (tmp_path / "half", 1.0), (chosen, -1.0)]
    events = list(evaluate(str(folder), columns, [text], PLACE))
    base, dial, half, minus = events[-2]["heldout"][0]["losses"]
    assert dial == pytest.approx(half, rel=1e-6)
    assert len({base, dial, minus}) == 3


def test_a_second_comparison_finds_the_model_and_the_losses_ready(
    model, folder, tmp_path, text, monkeypatch
):
    chosen = adapter(model, tmp_path / "one")
    first = list(compare(str(folder), [(chosen, 1.0)], ["Hi"], [text], PLACE, **SHORT))
    monkeypatch.setattr(loading, "load", None)
    monkeypatch.setattr("lora_lab.evaluation.comparing.heldout_loss", None)
    second = list(compare(str(folder), [(chosen, 1.0)], ["Hi"], [text], PLACE, **SHORT))
    assert texts_of(first, 2) == texts_of(second, 2)
    assert first[-2]["heldout"] == second[-2]["heldout"]


def test_the_base_is_back_after_the_end_and_after_a_cancellation(model, folder, tmp_path):
    chosen = adapter(model, tmp_path / "one")
    for ends_early in (True, False):
        events = compare(str(folder), [(chosen, 1.0)], ["Hi"], [], PLACE, **SHORT)
        while next(events)["kind"] != "pieces":
            pass
        events.close() if ends_early else list(events)
        from lora_lab.models import sources

        base = loaded.base(sources.fetch(str(folder)), "cpu", "float32")
        assert not list(attaching.layers(base.model))
        assert loading.base_hash(base.model) == loading.base_hash(model)


def test_another_base_is_said_and_the_same_is_not(model, folder, tmp_path):
    right = {"hash": loading.base_hash(folder), "source": "here"}
    wrong = {"hash": "0" * 64, "source": "wheel:other==1"}
    columns = [
        (adapter(model, tmp_path / "right", base=right), 1.0),
        (adapter(model, tmp_path / "wrong", base=wrong), 1.0),
        (adapter(model, tmp_path / "strange", base=["no", "object"]), 1.0),
    ]
    events = list(evaluate(str(folder), columns, [], PLACE))
    warned = {event["column"]: event for event in events if event["kind"] == "warning"}
    assert {column: event["key"] for column, event in warned.items()} == {
        2: "compare.base_differs",
        3: "compare.base_unchecked",
    }
    assert warned[2]["facts"]["made_on"] == "wheel:other==1"


def test_an_adapter_that_does_not_fit_is_refused_and_leaves_nothing(model, folder, tmp_path):
    fits = adapter(model, tmp_path / "fits")
    made = peft_format.load(fits)
    tensors = {path: (A[:, :-1], B) for path, (A, B) in made.tensors.items()}
    peft_format.save(tmp_path / "not", type(made)(4, 8.0, tensors), "tiny", {})
    with pytest.raises(LabError) as caught:
        list(compare(str(folder), [(fits, 1.0), (tmp_path / "not", 1.0)], ["Hi"], [], PLACE))
    assert caught.value.key == "adapter_does_not_fit"
    assert list(evaluate(str(folder), [(fits, 1.0)], [], PLACE))[-1]["kind"] == "end"


def test_an_adapter_for_prompts_meets_them_as_in_its_training(model, folder, tmp_path):
    """Without a chat template, the separator stands between prompt and answer: for every column."""
    chosen = adapter(model, tmp_path / "one", data={"shape": "prompt"})
    asked = {"max_new_tokens": 20, "temperature": 0, "measure": False}
    told = list(compare(str(folder), [(chosen, 0.0)], ["Hi"], [], PLACE, **asked))
    plain = list(compare(str(folder), [], ["Hi\n"], [], PLACE, **asked))
    assert texts_of(told, 2)[0] == texts_of(plain, 1)[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": float("nan")},
        {"temperature": -1},
        {"temperature": "hot"},
        {"seed": -1},
        {"prompts": [{"no": "text"}]},
        {"top_p": 0},
        {"max_new_tokens": 0},
        {"max_new_tokens": 10**9},
        {"adapters": [("x", float("inf"))]},
        {"prompts": []},
        {"prompts": ["a"] * 65},
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_loaded(wrong):
    asked = {"adapters": [], "prompts": ["Hi"], **wrong}
    adapters, prompts = asked.pop("adapters"), asked.pop("prompts")
    with pytest.raises(LabError):
        next(compare("no such model", adapters, prompts, [], PLACE, **asked))
