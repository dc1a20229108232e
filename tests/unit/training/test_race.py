"""Arms that take turns are the arms trained alone, to the bit."""

import random

import pytest
import torch

from lora_lab.config import Settings
from lora_lab.data.tokenising import Encoded
from lora_lab.errors import LabError
from lora_lab.evaluation.heldout import heldout_loss
from lora_lab.training import loop, methods
from lora_lab.training.race import Arm, Start, own_model, race
from tests import tiny_models

CPU = torch.device("cpu")
ARMS = (
    Settings(rank=1, alpha=2, learning_rate=0.03, dropout=0.2, seed=0),
    Settings(rank=8, alpha=16, learning_rate=0.01, dropout=0.2, seed=1, steps=5),
    Settings(method="full", learning_rate=0.003, seed=1),
)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_models.save("llama", tmp_path_factory.mktemp("tiny")).requires_grad_(False)


def rows(count, seed):
    draw = random.Random(seed)
    lengths = [draw.randrange(5, 20) for _ in range(count)]
    ids = [[draw.randrange(2, tiny_models.VOCAB) for _ in range(length)] for length in lengths]
    return [Encoded(row, [False] + [True] * (len(row) - 1), n, False) for n, row in enumerate(ids)]


def start(base, settings, curve, stop=lambda: False):
    settings = Settings(**{**vars(settings), "steps": min(settings.steps, 7)})
    settings = Settings(**{**vars(settings), "evaluate_every": 2, "batch_size": 4})
    model = own_model(base, settings.method == "full")
    heldout = rows(6, 9)

    def event(kind, **figures):
        if kind == "heldout":
            curve.append((figures["step"], figures["loss"]))
        return 0

    watch = loop.Watch(
        event, lambda: heldout_loss(model, heldout), lambda: "", lambda _: None, stop, lambda: 0
    )
    return Start(loop.Job(model, methods.put(model, settings), rows(20, 3), settings, CPU), watch)


def alone(base, settings):
    torch.manual_seed(settings.seed)
    curve = []
    told = start(base, settings, curve)
    return curve, loop.train(told.job, told.watch, None)


def raced(base, together, settings=ARMS, **more):
    curves = [[] for _ in settings]
    arms = [
        Arm(each.seed, CPU, lambda each=each, curve=curve: start(base, each, curve, **more))
        for each, curve in zip(settings, curves, strict=True)
    ]
    ended = {}
    order = []
    for place, news in race(arms, together):
        order.append(place)
        if not isinstance(news, loop.Progress):
            ended[place] = news
    return curves, ended, order


@pytest.mark.parametrize("together", [True, False])
def test_an_arms_curve_and_weights_are_those_it_has_alone(base, together):
    before = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    curves, ended, order = raced(base, together)
    for place, settings in enumerate(ARMS):
        curve, outcome = alone(base, settings)
        assert curves[place] == curve and len(curve) > 2
        theirs = ended[place].adapter
        assert theirs.keys() == outcome.adapter.keys()
        assert all(torch.equal(theirs[name], tensor) for name, tensor in outcome.adapter.items())
    assert (order[:3] == [0, 1, 2]) is together
    assert all(torch.equal(base.state_dict()[name], tensor) for name, tensor in before.items())


def test_the_generators_outside_are_left_as_they_were(base):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    raced(base, True)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_arm_whose_loss_is_no_number_ends_alone(base):
    def lost():
        told = start(base, ARMS[0], [])
        told.watch.heldout = lambda: float("nan")
        return told

    kept = []
    arms = [Arm(0, CPU, lost), Arm(0, CPU, lambda: start(base, ARMS[0], kept))]
    first, *others = [(place, news) for place, news in race(arms, together=True)]
    assert first[0] == 0 and isinstance(first[1], LabError) and first[1].key == "loss_not_finite"
    assert {place for place, _ in others} == {1}
    assert kept == alone(base, ARMS[0])[0]


def test_arms_share_what_is_frozen_and_own_what_is_trained(base):
    sharing, own = own_model(base, False), own_model(base, True)
    mine = dict(base.named_parameters())
    assert all(parameter is mine[name] for name, parameter in sharing.named_parameters())
    assert not any(parameter is mine[name] for name, parameter in own.named_parameters())
    assert own.lm_head.weight is own.get_input_embeddings().weight  # still tied


def test_a_stop_reaches_every_arm(base):
    _, ended, _ = raced(base, True, stop=lambda: True)
    assert {outcome.state for outcome in ended.values()} == {"stopped"}
