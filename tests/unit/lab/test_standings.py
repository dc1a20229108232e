import pytest

from lora_lab.lab.standings import ONE_SEED_NOISE, smallest_within_noise, standings
from lora_lab.runs.arms import Arm


def test_the_smallest_rank_that_noise_cannot_tell_from_the_best():
    # Seeds move all ranks alike by up to 1; ranks 4 and 8 differ by 0.01 ± 0.02 within a seed.
    losses = {1: [3.0, 4.0, 3.5], 4: [2.02, 2.99, 2.50], 8: [2.0, 3.0, 2.48]}
    told = smallest_within_noise(losses)
    assert (told["rank"], told["best"], told["seeds"]) == (4, 8, 3)
    # By hand: rank 1 is behind by 1.0, 1.0, 1.02 (sd 0.0115), rank 4 by 0.02, -0.01, 0.02 (0.0173).
    pooled = ((0.011547**2 + 0.017321**2) / 2) ** 0.5
    assert told["noise"] == pytest.approx(2 * pooled / 3**0.5, rel=1e-3)


def test_a_rank_that_is_clearly_behind_is_not_named():
    assert smallest_within_noise({1: [3.0, 3.1], 2: [2.5, 2.6], 64: [2.0, 2.1]})["rank"] == 64


def test_of_one_seed_a_usual_noise_is_taken():
    told = smallest_within_noise({1: [2.0 + ONE_SEED_NOISE / 2], 2: [2.0]})
    assert told == {"rank": 1, "best": 2, "noise": ONE_SEED_NOISE, "seeds": 1}
    assert smallest_within_noise({1: [2.0 + 2 * ONE_SEED_NOISE], 2: [2.0]})["rank"] == 2


def heldout(arm, step, loss):
    return {"kind": "heldout", "arm": arm, "step": step, "loss": loss}


def ended(arm, loss, state="done"):
    told = {"kind": "arm", "arm": arm, "state": state, "learning_rate": 0.1, "seconds": 2.0}
    figures = {"heldout_loss": loss, "heldout_loss_before": 5.0, "base_text_loss": 1.0}
    more = {"trainable": 10, "adapter_bytes": 40, "update": {"q": 0.1}}
    return {**told, **figures, **more} if state == "done" else {**told, "error": {}}


def config(*arms):
    return {
        "settings": {},
        "experiment": {
            "kind": "race",
            "arms": [arm.as_json() for arm in arms],
            "forecasts": [{"memory_bytes": 1.0, "seconds": 1.0}] * len(arms),
        },
    }


ARMS = [
    Arm(label, {"rank": int(label), "seed": seed, "data": "d"}) for seed in (0, 1) for label in "14"
]


def test_arms_that_differ_by_their_seed_are_one_group():
    events = [heldout(n, step, 4 - n / 10 - step) for n in range(4) for step in (0, 1)]
    events.append(heldout(0, 2, 1.0))  # its other seed is not there yet
    told = standings(config(*ARMS), events)
    one, four = told["groups"]
    assert (one["label"], one["arms"], four["arms"]) == ("1", [0, 2], [1, 3])
    assert one["curve"] == [(0, 3.9, 3.8, 4), (1, 2.9, 2.8, 3)]
    assert one["heldout_loss"] is None and told["smallest"] == {}


def test_ended_arms_have_their_means_and_spread():
    events = [ended(0, 3.0), ended(2, 3.2), ended(1, 2.0), ended(3, None, "failed")]
    told = standings(config(*ARMS), events)
    one, four = told["groups"]
    assert one["heldout_loss"] == pytest.approx(3.1) and one["spread"] == pytest.approx(
        0.1414, 1e-3
    )
    assert (one["trainable"], one["failed"], four["failed"]) == (10, 0, 1)
    assert told["smallest"] == {}  # rank 4 has not all of its seeds, and one rank is no race
    whole = standings(config(*ARMS), [*events[:3], ended(3, 2.1)])
    assert whole["smallest"]["d"]["rank"] == 4
