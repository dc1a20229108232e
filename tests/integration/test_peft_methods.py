"""peft must agree with the lab's other starts, DoRA, embeddings, LoRA+: curves, files, logits."""

import copy

import peft
import pytest
import torch
from peft.optimizers import create_loraplus_optimizer

from lora_lab.config import Settings
from lora_lab.lora import attaching, merging, peft_format
from lora_lab.lora.targets import resolve
from lora_lab.training import methods
from tests.expecting import lab_error
from tests.integration import peers as beside
from tests.integration.peers import ALPHA, RANK, RATE


@pytest.fixture(params=["llama", "gpt2"])
def base(request, tmp_path):
    return beside.base(request.param, tmp_path / "base")


@pytest.fixture
def untied(tmp_path):
    """A model whose embeddings are its own."""
    return beside.base("gpt_neox", tmp_path / "base")


@pytest.fixture
def batches():
    return beside.batches()


@pytest.mark.parametrize(
    "settings",
    [{"use_rslora": True}, {"use_dora": True}, {"use_dora": True, "use_rslora": True}],
    ids=["rslora", "dora", "dora-rslora"],
)
def test_their_start_gives_the_same_curve_and_each_reads_the_other_s_file(
    base, batches, settings, tmp_path
):
    peers = beside.lora(base, **settings)
    beside.put_theirs_on(base, peers, tmp_path / "start")
    wanted = beside.their_curve(peers, batches)
    assert beside.our_curve(base, batches) == pytest.approx(wanted, abs=1e-5)
    beside.assert_same_answers(base, peers)
    beside.assert_same_answers(base, beside.read_there(base, tmp_path / "ours", tmp_path / "base"))
    beside.put_theirs_on(base, peers, tmp_path / "trained")
    beside.assert_same_answers(base, peers)


@pytest.mark.parametrize("with_magnitudes", [False, True], ids=["lora", "dora"])
@pytest.mark.parametrize("rank_stabilised", [False, True], ids=["plain", "rslora"])
def test_pissa_follows_theirs_and_leaves_the_base_alone(
    base, batches, with_magnitudes, rank_stabilised, tmp_path
):
    """Singular vectors have no sign of their own, so curves and logits are compared, not tensors.
    peft rewrites the base; here it must stay as it is, and the file must fit it as it is."""
    bits = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    peers = beside.lora(
        base, init_lora_weights="pissa", use_dora=with_magnitudes, use_rslora=rank_stabilised
    )
    paths = resolve("linear", attaching.matrices(base))
    more = {"with_magnitudes": with_magnitudes, "rank_stabilised": rank_stabilised}
    attaching.attach(base, "a", paths, RANK, ALPHA, init="pissa", **more)
    wanted = beside.their_curve(peers, batches)
    assert beside.our_curve(base, batches) == pytest.approx(wanted, abs=1e-5)
    beside.assert_same_answers(base, peers)
    there = beside.read_there(base, tmp_path / "ours", tmp_path / "base")
    beside.assert_same_answers(base, there)
    adapter = peft_format.load(tmp_path / "ours")
    assert adapter.rank == 2 * RANK
    attaching.detach(base)
    assert all(torch.equal(t, bits[name]) for name, t in base.state_dict().items())
    attaching.add(base, "again", adapter)
    beside.assert_same_answers(base, peers)


@pytest.mark.parametrize("with_magnitudes", [False, True], ids=["lora", "dora"])
@pytest.mark.parametrize("targets", ["embeddings", "all"])
def test_embeddings_train_as_theirs_do(untied, batches, targets, with_magnitudes, tmp_path):
    peers = beside.lora(untied, targets, use_dora=with_magnitudes)
    beside.put_theirs_on(untied, peers, tmp_path / "start")
    wanted = beside.their_curve(peers, batches)
    assert beside.our_curve(untied, batches) == pytest.approx(wanted, abs=1e-5)
    there = beside.read_there(untied, tmp_path / "ours", tmp_path / "base")
    beside.assert_same_answers(untied, there)
    beside.put_theirs_on(untied, peers, tmp_path / "trained")
    beside.assert_same_answers(untied, peers)


def test_a_file_that_brings_an_embedding_must_bring_this_one(untied, tmp_path):
    """peft writes the base's embedding along where a target is called embed_tokens or so."""
    model = untied
    peers = peft.get_peft_model(
        copy.deepcopy(model),
        peft.LoraConfig(r=RANK, target_modules=["embed_in"], task_type="CAUSAL_LM"),
    )
    peers.save_pretrained(tmp_path / "peers", save_embedding_layers=True)
    adapter = peft_format.load(tmp_path / "peers")
    assert set(adapter.brought) == {"gpt_neox.embed_in", "lm_head"}
    attaching.add(model, "a", adapter)
    attaching.detach(model)
    model.gpt_neox.embed_in.weight.data[3, 5] += 0.01
    with lab_error("adapter_other_embedding"):
        attaching.add(model, "a", adapter)


def test_rates_are_lora_plus_s(base, batches, tmp_path):
    peers = beside.lora(base, use_dora=True)
    peers.save_pretrained(tmp_path / "start")
    settings = Settings(
        method="dora", targets="linear", rank=RANK, alpha=ALPHA, learning_rate=RATE, rate_ratio=4
    )
    method = methods.put(base, settings)
    start = peft_format.load(tmp_path / "start")
    tensors = {f"{path}.magnitude": m for path, m in start.magnitudes.items()}
    for path, (A, B) in start.tensors.items():
        tensors |= {f"{path}.A": A, f"{path}.B": B}
    method.set(tensors)
    groups = [{"params": group["params"], "lr": RATE * group["ratio"]} for group in method.groups()]
    assert len(groups) == 2
    plus = create_loraplus_optimizer(
        peers, torch.optim.AdamW, lr=RATE, loraplus_lr_ratio=4, weight_decay=0
    )
    wanted = beside.their_curve(peers, batches, plus)
    found = beside.our_curve(base, batches, torch.optim.AdamW(groups, weight_decay=0))
    assert found == pytest.approx(wanted, abs=1e-5)


@torch.no_grad()
def test_a_merged_dora_is_theirs_merged(base, tmp_path):
    peers = beside.lora(base, use_dora=True)
    for name, parameter in peers.named_parameters():
        if "lora_" in name:
            parameter.mul_(1.2).add_(torch.randn(parameter.shape) * 0.1)
    peers.save_pretrained(tmp_path / "peers")
    merging.merge(base, peft_format.load(tmp_path / "peers"))
    beside.assert_same_answers(base, peers)
    beside.assert_same_answers(base, peers.merge_and_unload())
