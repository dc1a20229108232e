"""peft must agree with the lab on each family of models: loss curve, logits, both files."""

import pytest

from lora_lab.lora import attaching
from lora_lab.lora.targets import resolve
from tests.integration import peers as beside

FAMILIES = ["llama", "qwen2", "qwen3", "gpt2", "gpt_neox", "gemma", "gemma3_text", "opt", "phi"]


@pytest.fixture(params=FAMILIES)
def base(request, tmp_path):
    return beside.base(request.param, tmp_path / "base")


@pytest.mark.parametrize("targets", ["attention-qv", "linear"])
def test_same_start_and_batches_give_the_same_curve_logits_and_files(base, targets, tmp_path):
    peers, batches = beside.lora(base, targets), beside.batches()
    beside.put_theirs_on(base, peers, tmp_path / "start")
    trained = [p.numel() for p in peers.parameters() if p.requires_grad]
    assert sum(p.numel() for p in attaching.trainable_parameters(base, "a")) == sum(trained)
    wanted = beside.their_curve(peers, batches)
    assert beside.our_curve(base, batches) == pytest.approx(wanted, abs=1e-5)
    beside.assert_same_answers(base, peers)
    beside.assert_same_answers(base, beside.read_there(base, tmp_path / "ours", tmp_path / "base"))


@pytest.mark.parametrize("settings", [{}, {"use_dora": True, "use_rslora": True}])
def test_their_ranks_and_alphas_of_their_own_survive_the_way_through_the_lab(
    base, settings, tmp_path
):
    """Patterns that name the last matrix of any family's blocks."""
    last = attaching.matrices(base).keys()
    names = sorted({path.rpartition(".")[2] for path in resolve("linear", last)})
    patterns = {
        "rank_pattern": {names[0]: 7, rf"1\..*{names[1]}": 3},
        "alpha_pattern": {names[-1]: 5},
    }
    peers = beside.lora(base, "linear", **patterns, **settings)
    beside.randomise(peers)
    beside.put_theirs_on(base, peers.eval(), tmp_path / "peers")
    ranks = {len(A) for A, _ in attaching.extract(base, "a").tensors.values()}
    assert ranks == {7, 3, beside.RANK}
    beside.assert_same_answers(base, peers)
    beside.assert_same_answers(base, beside.read_there(base, tmp_path / "ours", tmp_path / "base"))
