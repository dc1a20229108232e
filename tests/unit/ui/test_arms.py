"""An experiment's arms in words: which of them leave an adapter."""

from lora_lab.ui import arms
from tests.experiments import told


def test_each_arm_but_full_fine_tuning_leaves_an_adapter():
    assert len(arms.adapters(told("race"), "en")) == 2 * 2 * 2
    assert arms.adapters(told("race", ended=False), "en") == []
