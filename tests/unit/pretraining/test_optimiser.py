"""Muon's orthogonal steps and the rate over the steps."""

import pytest
import torch
from pretraining.optimiser import Muon, orthogonalise, rate_at


@pytest.mark.parametrize("shape", [(2, 16, 16), (1, 40, 16), (3, 16, 40)])
def test_orthogonalise_keeps_directions_and_evens_out_sizes(shape):
    torch.manual_seed(0)
    found = orthogonalise(torch.randn(shape))
    assert found.shape == shape
    sizes = torch.linalg.svdvals(found)
    assert sizes.min() > 0.3
    assert sizes.max() < 1.3


def test_muon_finds_a_least_squares_solution():
    torch.manual_seed(0)
    wanted, x = torch.randn(8, 8), torch.randn(64, 8)
    weight = torch.nn.Parameter(torch.zeros(8, 8))
    muon = Muon([weight], lr=0.2, momentum=0.9, weight_decay=0.0)
    for step in range(300):
        muon.param_groups[0]["lr"] = 0.2 * rate_at(step, 5, 150, 150)
        ((x @ (weight - wanted).T) ** 2).mean().backward()
        muon.step()
        muon.zero_grad()
    torch.testing.assert_close(weight.data, wanted, rtol=0, atol=0.02)


def test_rate_warms_up_holds_and_falls_to_nothing():
    rates = [rate_at(step, warmup=10, decay_from=50, decay=50) for step in range(101)]
    assert rates[0] == 0.1
    assert rates[9:51] == [1.0] * 42
    assert rates[75] == 0.5
    assert rates[100] == 0.0
