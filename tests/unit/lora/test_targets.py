import pytest

from lora_lab.errors import LabError
from lora_lab.lora.patterns import compiled, ending
from lora_lab.lora.targets import kinds, resolve

LLAMA = [
    "model.embed_tokens",
    *(
        f"model.layers.{i}.{name}"
        for i in range(2)
        for name in (
            "self_attn.q_proj",
            "self_attn.k_proj",
            "self_attn.v_proj",
            "self_attn.o_proj",
            "mlp.gate_proj",
            "mlp.up_proj",
            "mlp.down_proj",
        )
    ),
    "lm_head",
]
GPT2 = ["transformer.wte", "transformer.wpe"] + [
    f"transformer.h.0.{n}" for n in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
]
NEOX = [
    f"gpt_neox.layers.0.{n}"
    for n in (
        "attention.query_key_value",
        "attention.dense",
        "mlp.dense_h_to_4h",
        "mlp.dense_4h_to_h",
    )
] + ["embed_out"]


def ends(targets, paths):
    return [path.split(".", 2)[-1] if "." in path else path for path in resolve(targets, paths)]


@pytest.mark.parametrize(
    ("targets", "paths", "count", "example"),
    [
        ("attention-qv", LLAMA, 4, "model.layers.1.self_attn.v_proj"),
        ("attention", LLAMA, 8, "model.layers.0.self_attn.o_proj"),
        ("linear", LLAMA, 14, "model.layers.1.mlp.down_proj"),
        ("attention-qv", GPT2, 1, "transformer.h.0.attn.c_attn"),
        ("attention", GPT2, 2, "transformer.h.0.attn.c_proj"),
        ("linear", GPT2, 4, "transformer.h.0.mlp.c_proj"),
        ("attention-qv", NEOX, 1, "gpt_neox.layers.0.attention.query_key_value"),
        ("linear", NEOX, 4, "gpt_neox.layers.0.mlp.dense_4h_to_h"),
        ("q_proj, up_proj", LLAMA, 4, "model.layers.0.mlp.up_proj"),
        ("mlp.c_proj", GPT2, 1, "transformer.h.0.mlp.c_proj"),
        ("lm_head", LLAMA, 1, "lm_head"),
        ("mlp", LLAMA, 6, "model.layers.1.mlp.down_proj"),
        ("mlp", GPT2, 2, "transformer.h.0.mlp.c_fc"),
        ("mlp", NEOX, 2, "gpt_neox.layers.0.mlp.dense_h_to_4h"),
        ("embeddings", LLAMA, 1, "model.embed_tokens"),
        ("embeddings", GPT2, 1, "transformer.wte"),
        ("all", LLAMA, 16, "lm_head"),
        ("all", GPT2, 5, "transformer.wte"),
        ("embed_tokens", LLAMA, 1, "model.embed_tokens"),
        (r"re:.*\.1\.mlp\..*", LLAMA, 3, "model.layers.1.mlp.gate_proj"),
    ],
)
def test_words_choose_matrices(targets, paths, count, example):
    chosen = resolve(targets, paths)
    assert len(chosen) == count
    assert example in chosen
    assert chosen == [path for path in paths if path in chosen], "in the model's order"


@pytest.mark.parametrize("targets", ["", "proj", "q_proj,", "q_proj,nope", "wpe", "re:x"])
def test_what_matches_nothing_is_said(targets):
    with pytest.raises(LabError) as caught:
        resolve(targets, LLAMA)
    assert caught.value.key == "no_target_matches"
    assert "q_proj" in caught.value.remedy("gl")


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(.*)*", ".*.*.*x", "(a?){9}", "(a|a)*", "a**", "(", "x" * 301, "[", "\\1"],
)
def test_patterns_that_could_run_for_ever_are_refused(pattern):
    with pytest.raises(LabError) as caught:
        compiled(pattern)
    assert caught.value.key == "pattern_refused"


def test_a_pattern_of_another_tool_matches_ends_from_a_dot_on():
    path = "model.layers.10.mlp.up_proj"
    for pattern in ("up_proj", "mlp.up_proj", path, r"layers\.\d+\.mlp\..*", "(up|down)_proj"):
        assert ending(pattern)(path)
    for pattern in ("p_proj", "layers.1", r"ayers\..*"):
        assert not ending(pattern)(path)


@pytest.mark.parametrize("paths", [LLAMA, GPT2, NEOX])
def test_each_kind_s_name_means_its_matrices_and_no_others(paths):
    found = kinds(paths, tied=False)
    for name, meant in found.items():
        assert resolve(name, paths) == meant
    meant = [path for same in found.values() for path in same]
    assert sorted(meant) == sorted(set(paths) - {"transformer.wpe"})
    assert set(kinds(GPT2, tied=True)) == {"c_attn", "attn.c_proj", "c_fc", "mlp.c_proj"}
