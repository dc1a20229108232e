import pytest
import torch

from lora_lab.evaluation.choosing import Chooser, _nucleus

LOGITS = torch.tensor([[2.0, 1.0, 0.0, -1.0]])


def shares(chooser, logits, draws=8_000):
    counts = torch.zeros(logits.shape[-1])
    for _ in range(draws):
        counts[chooser(logits)[0]] += 1
    return counts / draws


def test_temperature_0_takes_the_likeliest():
    assert Chooser(0, 1, 0)(LOGITS.flip(-1)).tolist() == [3]


def test_draws_follow_the_softmax():
    """8,000 draws: the shares' standard error is at most 0.0056; five of them are allowed."""
    told = shares(Chooser(0.7, 1, 3), LOGITS)
    assert torch.allclose(told, (LOGITS[0] / 0.7).softmax(-1), atol=0.028)


def test_top_p_keeps_the_smallest_set_that_reaches_it():
    """Probabilities 0.64, 0.24, 0.09, 0.03: 0.8 needs two, 0.6 one, 0.9 three."""
    for top_p, kept in ((0.6, 1), (0.8, 2), (0.9, 3), (0.99, 4)):
        told = shares(Chooser(1.0, top_p, 4), LOGITS, 3000)
        assert (told > 0).sum() == kept
        expected = LOGITS[0].softmax(-1)[:kept]
        assert torch.allclose(told[:kept], expected / expected.sum(), atol=0.05)


def test_rows_with_equal_logits_draw_equal_tokens():
    chooser = Chooser(1.5, 0.95, 9)
    logits = torch.randn(1, 500, generator=torch.Generator().manual_seed(0))
    for _ in range(50):
        first, second = chooser(logits.expand(2, -1)).tolist()
        assert first == second


@pytest.mark.parametrize("spread", [0.01, 3.0])
def test_top_p_is_exact_in_a_large_vocabulary(spread):
    """Flat, so that thousands of tokens share the nucleus, and steep, so that a few do."""
    scores = spread * torch.randn(2, 5000, generator=torch.Generator().manual_seed(1))
    for row, kept in zip(scores, _nucleus(scores, 0.9).isfinite(), strict=True):
        shares = row.softmax(-1)
        least = shares[kept].min()
        assert kept.equal(shares >= least)
        assert shares[kept].sum() >= 0.9 - 1e-5 > shares[kept].sum() - least - 2e-5
