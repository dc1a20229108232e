"""The spectrum of an update against plain torch on the whole matrix, and cases worked by hand."""

import math

import pytest
import torch

from lora_lab.lora import spectrum


@pytest.mark.parametrize(("r", "inputs", "outputs"), [(1, 5, 7), (3, 9, 4), (6, 4, 20), (8, 8, 8)])
def test_the_thin_way_is_the_svd_of_the_whole_product(r, inputs, outputs):
    chance = torch.Generator().manual_seed(r)
    A = torch.randn(r, inputs, generator=chance)
    B = torch.randn(outputs, r, generator=chance)
    U, S, Vh = spectrum.svd(A, B)
    k = min(r, inputs, outputs)
    whole = B.double() @ A.double()
    assert (U * S) @ Vh == pytest.approx(whole, abs=1e-9)
    assert S[:k] == pytest.approx(torch.linalg.svdvals(whole)[:k], abs=1e-9)
    assert U.t() @ U == pytest.approx(torch.eye(len(S)), abs=1e-9)


def test_an_adapter_that_learned_nothing_has_no_directions():
    _, S, _ = spectrum.svd(torch.randn(4, 8), torch.zeros(8, 4))
    assert S.tolist() == [0, 0, 0, 0]
    assert spectrum.effective_rank(S) == 0


def test_effective_ranks_worked_by_hand():
    """Shares ½, ¼, ¼: an entropy of 1.5 ln 2, so 2^1.5 directions."""
    shares = torch.tensor([2.0, 1.0, 1.0])
    assert spectrum.effective_rank(shares) == pytest.approx(2**1.5)
    assert spectrum.effective_rank(torch.tensor([3.0, 0.0])) == pytest.approx(1)
    assert spectrum.effective_rank(torch.ones(5) * 0.1) == pytest.approx(5)


def test_similarity_worked_by_hand():
    """Two planes in space that share one axis: φ is 1 on it and a half for the planes."""
    A = torch.tensor([[2.0, 0, 0], [0, 1, 0]])
    other = torch.tensor([[3.0, 0, 0], [0, 0, 1]])
    assert spectrum.similarity(A, other).tolist() == [[1, 1], [1, 0.5]]


def test_similarity_is_of_spans_and_never_leaves_its_range():
    chance = torch.Generator().manual_seed(0)
    A, other = torch.randn(4, 30, generator=chance), torch.randn(9, 30, generator=chance)
    turned = torch.linalg.qr(torch.randn(4, 4, generator=chance)).Q @ A
    phi = spectrum.similarity(A, other)
    assert spectrum.similarity(turned, other) == pytest.approx(phi, abs=1e-6)
    assert phi.min() >= 0 and phi.max() <= 1 + 1e-9
    assert torch.diagonal(spectrum.similarity(A, A)) == pytest.approx(torch.ones(4))


def test_random_spans_agree_as_much_as_chance_says():
    """φ of random spans is max(i, j) / in in the mean."""
    chance = torch.Generator().manual_seed(1)
    draws = [
        spectrum.similarity(
            torch.randn(2, 40, generator=chance), torch.randn(6, 40, generator=chance)
        )[1, 5].item()
        for _ in range(200)
    ]
    assert math.fsum(draws) / 200 == pytest.approx(6 / 40, abs=0.01)
