"""peft must agree with the lab's other starts, DoRA, embeddings, LoRA+: curves, files, logits."""

import copy

import peft
import pytest
import torch
from peft.optimizers import create_loraplus_optimizer

from lora_lab.config import Settings
from lora_lab.lora import attaching, merging, peft_format
from lora_lab.lora.targets import resolve
from lora_lab.models import lean
from lora_lab.training import methods
from tests import tiny_models
from tests.expecting import lab_error

RANK, ALPHA, STEPS = 4, 8, 12
RATE = 1e-2


@pytest.fixture
def ids():
    """Batches [4, 13]: four of them, again and again, so that there is something to learn."""
    batches = torch.randint(2, 400, (4, 4, 13), generator=torch.Generator().manual_seed(2))
    return batches.repeat(STEPS // 4, 1, 1)


@pytest.fixture(params=["llama", "gpt2"])
def base(request, tmp_path):
    return made(request.param, tmp_path)


def made(family, tmp_path):
    """peft trains in training mode, where GPT-2 would drop at random."""
    model = tiny_models.save(family, tmp_path / "base")
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def theirs(model, targets="linear", **settings):
    config = peft.LoraConfig(
        r=RANK,
        lora_alpha=ALPHA,
        target_modules=resolve(targets, attaching.matrices(model)),
        fan_in_fan_out=model.config.model_type == "gpt2",
        task_type="CAUSAL_LM",
        **settings,
    )
    torch.manual_seed(8)
    return peft.get_peft_model(copy.deepcopy(model), config)


def ours(model, targets="linear", **settings):
    paths = resolve(targets, attaching.matrices(model))
    return attaching.attach(model, "a", paths, RANK, ALPHA, **settings)


def their_curve(peers, ids, optimizer=None):
    parameters = [p for p in peers.parameters() if p.requires_grad]
    optimizer = optimizer or torch.optim.AdamW(parameters, lr=RATE, weight_decay=0)
    return curve(optimizer, (lambda batch=batch: peers(batch, labels=batch).loss for batch in ids))


def our_curve(model, ids, optimizer=None):
    parameters = attaching.trainable_parameters(model, "a")
    optimizer = optimizer or torch.optim.AdamW(parameters, lr=RATE, weight_decay=0)

    def loss(batch):
        total, count = lean.supervised_loss(model, batch, torch.ones_like(batch, dtype=torch.bool))
        return total / count

    return curve(optimizer, (lambda batch=batch: loss(batch) for batch in ids))


def curve(optimizer, losses):
    told = []
    for loss in losses:
        optimizer.zero_grad()
        now = loss()
        now.backward()
        optimizer.step()
        told.append(now.item())
    assert sum(told[-4:]) < sum(told[:4]) - 0.01, "something was learnt"
    return told


def put_theirs_on(model, peers, folder):
    """The adapter peft saved, on the lab's copy of the base."""
    peers.save_pretrained(folder)
    return attaching.add(model, "a", peft_format.load(folder))


@torch.no_grad()
def check_our_file_there(model, ids, tmp_path):
    here = model(ids[0]).logits
    peft_format.save(tmp_path / "ours", attaching.extract(model, "a"), str(tmp_path / "base"), {})
    peers = peft.AutoPeftModelForCausalLM.from_pretrained(tmp_path / "ours").eval()
    assert torch.allclose(here, peers(ids[0]).logits, atol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [{"use_rslora": True}, {"use_dora": True}, {"use_dora": True, "use_rslora": True}],
    ids=["rslora", "dora", "dora-rslora"],
)
def test_their_start_gives_the_same_curve_and_each_reads_the_other_s_file(
    base, ids, settings, tmp_path
):
    peers = theirs(base, **settings)
    put_theirs_on(base, peers, tmp_path / "start")
    wanted, found = their_curve(peers, ids), our_curve(base, ids)
    assert found == pytest.approx(wanted, abs=1e-5)
    with torch.no_grad():
        assert torch.allclose(base(ids[0]).logits, peers(ids[0]).logits, atol=1e-4)
        put_theirs_on(base, peers, tmp_path / "trained")
        assert torch.allclose(base(ids[0]).logits, peers(ids[0]).logits, atol=1e-4)
    check_our_file_there(base, ids, tmp_path)


@pytest.mark.parametrize("with_magnitudes", [False, True], ids=["lora", "dora"])
@pytest.mark.parametrize("rank_stabilised", [False, True], ids=["plain", "rslora"])
def test_pissa_follows_theirs_and_leaves_the_base_alone(
    base, ids, with_magnitudes, rank_stabilised, tmp_path
):
    """Singular vectors have no sign of their own, so curves and logits are compared, not tensors.
    peft rewrites the base; here it must stay as it is, and the file must fit it as it is."""
    bits = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    peers = theirs(
        base, init_lora_weights="pissa", use_dora=with_magnitudes, use_rslora=rank_stabilised
    )
    ours(base, init="pissa", with_magnitudes=with_magnitudes, rank_stabilised=rank_stabilised)
    assert our_curve(base, ids) == pytest.approx(their_curve(peers, ids), abs=1e-5)
    with torch.no_grad():
        trained = base(ids[0]).logits
        assert torch.allclose(trained, peers(ids[0]).logits, atol=1e-4)
    check_our_file_there(base, ids, tmp_path)
    adapter = peft_format.load(tmp_path / "ours")
    assert adapter.rank == 2 * RANK
    attaching.detach(base)
    assert all(torch.equal(t, bits[name]) for name, t in base.state_dict().items())
    with torch.no_grad():
        attaching.add(base, "again", adapter)
        assert torch.allclose(base(ids[0]).logits, trained, atol=1e-4)


@pytest.mark.parametrize("with_magnitudes", [False, True], ids=["lora", "dora"])
@pytest.mark.parametrize("targets", ["embeddings", "all"])
def test_embeddings_train_as_theirs_do(ids, targets, with_magnitudes, tmp_path):
    model = made("gpt_neox", tmp_path)
    peers = theirs(model, targets, use_dora=with_magnitudes)
    put_theirs_on(model, peers, tmp_path / "start")
    assert our_curve(model, ids) == pytest.approx(their_curve(peers, ids), abs=1e-5)
    check_our_file_there(model, ids, tmp_path)
    with torch.no_grad():
        put_theirs_on(model, peers, tmp_path / "trained")
        assert torch.allclose(model(ids[0]).logits, peers(ids[0]).logits, atol=1e-4)


def test_a_file_that_brings_an_embedding_must_bring_this_one(ids, tmp_path):
    """peft writes the base's embedding along where a target is called embed_tokens or so."""
    model = made("gpt_neox", tmp_path)
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


def test_rates_are_lora_plus_s(base, ids, tmp_path):
    peers = theirs(base, use_dora=True)
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
    wanted = their_curve(peers, ids, plus)
    found = our_curve(base, ids, torch.optim.AdamW(groups, weight_decay=0))
    assert found == pytest.approx(wanted, abs=1e-5)


@torch.no_grad()
def test_a_merged_dora_is_theirs_merged(base, ids, tmp_path):
    peers = theirs(base, use_dora=True)
    for name, parameter in peers.named_parameters():
        if "lora_" in name:
            parameter.mul_(1.2).add_(torch.randn(parameter.shape) * 0.1)
    peers.save_pretrained(tmp_path / "peers")
    unmerged = peers(ids[0]).logits
    merging.merge(base, peft_format.load(tmp_path / "peers"))
    assert torch.allclose(base(ids[0]).logits, unmerged, atol=1e-4)
    assert torch.allclose(base(ids[0]).logits, peers.merge_and_unload()(ids[0]).logits, atol=1e-4)
