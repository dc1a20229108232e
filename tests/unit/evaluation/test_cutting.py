"""W0 cut to a lower rank: the nearest one while it is cut, the same bits afterwards."""

import pytest
import torch

from lora_lab.errors import LabError
from lora_lab.evaluation import cutting
from lora_lab.models.loading import base_hash
from tests import tiny_models

PATHS = {
    "llama": ["model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj"],
    "gpt2": ["transformer.h.0.attn.c_attn", "transformer.h.1.mlp.c_proj"],
}


@pytest.mark.parametrize("family", PATHS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_cut_and_put_back_bit_for_bit(tmp_path, family, dtype):
    model = tiny_models.save(family, tmp_path, dtype=dtype)
    before = base_hash(model)
    paths = PATHS[family]
    original = {path: model.get_submodule(path).weight.detach().float().clone() for path in paths}
    with cutting.taking_apart(model, paths) as cut:
        assert list(cut.decompose()) == [1, 2]
        told = cut.to(3)
        lost = whole = 0.0
        for path in paths:
            weight = model.get_submodule(path).weight.detach().float()
            S = torch.linalg.svdvals(original[path])
            lost += (weight - original[path]).square().sum().item()
            whole += S.square().sum().item()
            if dtype == torch.float32:
                assert torch.linalg.matrix_rank(weight) == 3
        assert told["relative_error"] == pytest.approx((lost / whole) ** 0.5, rel=1e-2)
        assert told["kept"] == sum(3 * sum(weight.shape) for weight in original.values())
        assert base_hash(model) != before
    assert base_hash(model) == before


def test_what_interrupts_it_still_puts_back(tmp_path):
    model = tiny_models.save("llama", tmp_path)
    before = base_hash(model)
    with pytest.raises(RuntimeError), cutting.taking_apart(model, PATHS["llama"]) as cut:
        list(cut.decompose())
        cut.to(1)
        raise RuntimeError
    assert base_hash(model) == before


def test_at_its_full_rank_a_matrix_is_what_it_was(tmp_path):
    model = tiny_models.save("llama", tmp_path)
    weight = model.get_submodule(PATHS["llama"][0]).weight
    original = weight.detach().clone()
    with cutting.taking_apart(model, PATHS["llama"][:1]) as cut:
        list(cut.decompose())
        assert cut.most == 32 and cut.original == 32 * 32
        assert cut.to(32)["relative_error"] == 0
        assert weight.detach() == pytest.approx(original, abs=1e-6)


@pytest.mark.parametrize("ranks", [[], [0], [5], ["1"], [1.5], [True], "12", {1: 2}])
def test_ranks_that_are_none(ranks):
    with pytest.raises(LabError) as caught:
        cutting.checked_ranks(ranks, 4)
    assert caught.value.key == "ranks_to_cut" and caught.value.text()


def test_ranks_once_each_and_rising():
    assert cutting.checked_ranks([4, 1, 4], 4) == [1, 4]


@pytest.mark.parametrize(("most", "ranks"), [(8, [1, 2, 4, 8]), (6, [1, 2, 4, 6]), (1, [1])])
def test_the_usual_ranks_double_up_to_the_whole(most, ranks):
    assert cutting.checked_ranks(None, most) == ranks


@pytest.mark.parametrize("family", PATHS)
def test_the_memory_it_takes_is_known_before(tmp_path, family):
    model = tiny_models.save(family, tmp_path, dtype=torch.bfloat16)
    kept = taken = 0
    for path in PATHS[family]:
        weight = model.get_submodule(path).weight.detach()
        kept += weight.nbytes
        taken += sum(part.nbytes for part in torch.linalg.svd(weight.float(), full_matrices=False))
    assert cutting.memory(model, PATHS[family]) == kept + taken
