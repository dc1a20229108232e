from types import SimpleNamespace

import pytest

from lora_lab.config import Settings
from lora_lab.errors import LabError
from lora_lab.lab import experiments, racing

BASE = Settings(rank=8, alpha=16, seed=3)


def test_a_race_keeps_alpha_over_rank_and_covers_datasets_and_seeds():
    arms = experiments.race(BASE, ["a", "b"], [1, 64], ["full"], seeds=2)
    assert len(arms) == 2 * 2 * 3
    settings = [arm.settings(BASE) for arm in arms]
    assert {each.alpha / each.rank for each in settings if each.method == "lora"} == {2.0}
    assert {(each.data, each.seed) for each in settings} == {
        ("a", 3), ("a", 4), ("b", 3), ("b", 4),
    }  # fmt: skip
    assert {arm.label for arm in arms} == {"1", "64", "full"}


def test_a_grid_is_every_alpha_at_every_rate():
    arms = experiments.grid(BASE, [1, 16], [0.001, 0.1])
    told = {(arm.changes["alpha"], arm.changes["learning_rate"]) for arm in arms}
    assert told == {(1, 0.001), (1, 0.1), (16, 0.001), (16, 0.1)}


def test_few_examples_are_lora_and_full_on_as_many_rows():
    arms = experiments.few(BASE, [8, 64])
    assert [(arm.label, arm.rows) for arm in arms] == [
        ("8", 8),
        ("8", 64),
        ("full", 8),
        ("full", 64),
    ]


@pytest.mark.parametrize(
    ("choices", "key"),
    [
        ({"ranks": []}, "no_arms"),
        ({"ranks": [1], "seeds": 1000}, "seeds_out_of_range"),
        ({"ranks": [1], "seeds": 0}, "seeds_out_of_range"),
        ({"ranks": list(range(1, 200))}, "too_many_arms"),
        ({"ranks": [0]}, "setting_out_of_range"),
        ({"ranks": [1], "others": ["magic"]}, "setting_not_a_choice"),
        ({"ranks": [1], "others": ["dora"]}, "setting_not_a_choice"),
        ({"ranks": ["one"]}, "no_such_experiment"),
        ({"ranks": [8.0]}, "no_such_experiment"),
        ({"surprise": 1}, "no_such_experiment"),
        ({"ranks": 7}, "no_such_experiment"),
        ({"ranks": [1] * 10_000, "datasets": ["a"] * 10_000}, "too_many_arms"),
        ([1], "no_such_experiment"),
    ],
)
def test_what_cannot_be_raced_is_told(choices, key):
    with pytest.raises(LabError) as told:
        experiments.arms_of("race", BASE, choices)
    assert told.value.key == key


@pytest.mark.parametrize("rows", [-1, 1.5, "8", None])
def test_rows_are_counted_in_whole_numbers(rows):
    with pytest.raises(LabError) as told:
        experiments.arms_of("few", BASE, {"rows": [8, rows]})
    assert told.value.key == "no_arms"


def test_what_is_named_twice_races_once():
    arms = experiments.race(BASE, ["a", "a"], [8, 8, 1], ["full", "full"])
    assert [arm.label for arm in arms] == ["8", "1", "full"]


def test_every_init_and_scaling_is_a_setting():
    for arm in [*experiments.init(BASE), *experiments.alpha(BASE, [1, 8])]:
        arm.settings(BASE)


def free(monkeypatch, size):
    memory = SimpleNamespace(available=size)
    monkeypatch.setattr(racing.psutil, "virtual_memory", lambda: memory)


def test_arms_that_do_not_fit_side_by_side_are_queued_and_that_is_known_beforehand(monkeypatch):
    choices = {"ranks": [1, 8], "others": ["full"]}
    settings = Settings(model="smollm2-135m-instruct", targets="linear", steps=5)
    free(monkeypatch, 10**12)
    together = racing.planned("race", settings, choices, "one")
    free(monkeypatch, together.expected["memory_bytes"] - 1)
    queued = racing.planned("race", settings, choices, "one")
    assert (together.together, queued.together) == (True, False)
    assert queued.expected["memory_bytes"] == max(f["memory_bytes"] for f in queued.forecasts)
    assert together.expected["seconds"] == pytest.approx(
        sum(f["seconds"] for f in together.forecasts)
    )


def test_alpha_is_swept_at_one_rate_and_a_grid_at_its_own():
    sweep = racing.planned("alpha", Settings(), {"alphas": [2, 64]})
    assert len({arm.changes["learning_rate"] for arm in sweep.arms}) == 1
    cells = racing.planned("grid", Settings(), {"alphas": [2], "rates": [0.1, 0.2]})
    assert [arm.changes["learning_rate"] for arm in cells.arms] == [0.1, 0.2]


def test_a_rate_that_was_recorded_is_taken_and_another_is_searched_for(monkeypatch):
    usual = Settings()
    best = {"1": 0.05, "full": 0.003}
    record = {usual.targets: {usual.data: best}}
    monkeypatch.setattr(racing.rates, "recorded", lambda: record)

    def rates(how):
        choices = {"ranks": [1, 8], "others": ["full"]}
        plan = racing.planned("race", usual, choices, how)
        return {arm.label: arm.changes["learning_rate"] for arm in plan.arms}

    assert rates("own") == {"1": 0.05, "8": 0.0, "full": 0.003}
    assert set(rates("search").values()) == {0.0}
    one = rates("one")
    assert one["1"] == one["8"] > one["full"] > 0
