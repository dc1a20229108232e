"""Inside an adapter: what is told of each matrix, against plain torch on the whole update."""

from dataclasses import replace

import pytest
import torch

from lora_lab.errors import LabError
from lora_lab.evaluation import inside, updates
from lora_lab.lora import peft_format
from lora_lab.lora.adapter import Adapter
from tests import tiny_models

PATHS = ["model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.v_proj"]


def adapter(rank=4, seed=0, **choices):
    chance = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=chance)

    sizes = dict(zip(PATHS, [(32, 32), (32, 16)], strict=True))
    tensors = {path: (normal(rank, i), normal(o, rank)) for path, (i, o) in sizes.items()}
    return Adapter(rank, 2.0 * rank, tensors, **choices)


@pytest.mark.parametrize("rank_stabilised", [False, True])
def test_each_matrix_is_told_with_its_scale_and_beside_its_base(tmp_path, rank_stabilised):
    model = tiny_models.save("llama", tmp_path)
    mine = adapter(rank_stabilised=rank_stabilised)
    for told, path in zip(inside.matrix_by_matrix(mine, tmp_path), PATHS, strict=True):
        A, B = mine.tensors[path]
        update = B @ A * (8 / 2 if rank_stabilised else 2)
        W0 = model.get_submodule(path).weight.detach()
        assert told["path"] == path and told["matrix"] == path[-6:]
        assert told["layer"] == PATHS.index(path)
        assert told["singular_values"] == pytest.approx(torch.linalg.svdvals(update)[:4].tolist())
        assert told["norm"] == pytest.approx(update.norm().item(), rel=1e-5)
        assert told["relative_norm"] == pytest.approx((update.norm() / W0.norm()).item(), rel=1e-5)
        assert updates.of_adapter(mine, model)[path] == pytest.approx(told["relative_norm"])
        assert 1 < told["effective_rank"] < 4


def test_without_the_base_there_is_no_size_beside_it():
    told = inside.matrix_by_matrix(adapter(), None)
    assert [each["relative_norm"] for each in told] == [None, None]
    assert inside.summary(told)["relative_norm"] is None


def test_a_base_of_another_shape_is_refused(tmp_path):
    tiny_models.save("llama", tmp_path)
    strange = replace(adapter(), tensors={PATHS[0]: (torch.ones(1, 5), torch.ones(7, 1))})
    with pytest.raises(LabError) as caught:
        inside.matrix_by_matrix(strange, tmp_path)
    assert caught.value.key == "adapter_does_not_fit"


def test_an_adapter_shares_everything_with_itself_and_little_with_a_stranger():
    mine, wider = adapter(), adapter(rank=8, seed=1)
    told = inside.similarities(mine, mine)
    assert told["phi"][3][3] == pytest.approx(1) and told["matrices"] == 2
    told = inside.similarities(mine, wider)
    assert (len(told["phi"]), len(told["phi"][0])) == (4, 8)
    assert told["random"][3][7] == pytest.approx(8 / 32)
    assert told["phi"][3][7] == pytest.approx(8 / 32, abs=0.15)
    assert set(told["by_matrix"]) == set(PATHS)


def test_adapters_without_a_matrix_in_common():
    other = Adapter(1, 1.0, {"model.layers.9.mlp.up_proj": (torch.ones(1, 32), torch.ones(8, 1))})
    with pytest.raises(LabError) as caught:
        inside.similarities(adapter(), other)
    assert caught.value.key == "nothing_shared"


def test_a_prefix_alone_has_nothing_to_look_into(tmp_path, monkeypatch):
    monkeypatch.setattr(peft_format, "load", lambda folder: Adapter(0, 1.0, {}))
    with pytest.raises(LabError) as caught:
        inside.of_matrices(tmp_path)
    assert caught.value.key == "adapter_without_matrices"
