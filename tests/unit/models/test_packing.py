import pytest
import torch

from lora_lab.models.packing import Packing


def wanted(*rows):
    return torch.tensor([[letter == "x" for letter in row] for row in rows])


@pytest.mark.parametrize(
    ("rows", "kept", "groups", "among"),
    [
        (["xxx", "xxx"], 6, [(2, 3, 6, True)], None),
        ([".x...", "..x..", "....x"], 10, [(1, 2, 2, True), (1, 3, 3, True), (1, 5, 5, True)], 3),
        (["..x..", "...x.", "...x."], 11, [(1, 3, 3, True), (2, 4, 8, True)], 3),
        (["...x.", "....x"], 9, [(2, 5, 9, False)], 2),
        ([".....", "....x"], 5, [(1, 5, 5, True)], 1),
        (["x....", "x...."], 2, [(2, 1, 2, True)], None),
        (["." * 19 + "x", "." * 18 + "x."], 40, [(2, 20, 40, True)], 2),
    ],
)
def test_rows_go_up_to_their_last_wanted_place_and_stand_with_their_like(rows, kept, groups, among):
    packing = Packing.of(wanted(*rows))
    assert int(packing.kept.sum()) == kept
    assert [(g.rows, g.T, g.tokens, g.places is None) for g in packing.groups] == groups
    assert (None if packing.among is None else len(packing.among)) == among
    assert packing.longest == max(T for _, T, _, _ in groups)


def test_splitting_and_joining_loses_nothing():
    packing = Packing.of(wanted("..x.....", "...x....", "......x.", ".......x"))
    x = torch.arange(int(packing.kept.sum()) * 2.0).view(-1, 2)
    parts = packing.split(x)
    assert [part.shape for part in parts] == [(1, 3, 2), (1, 4, 2), (2, 8, 2)]
    assert torch.equal(parts[2][0, 7], torch.zeros(2)), "padding is zero"
    assert torch.equal(packing.joined(parts), x)
    assert torch.equal(packing.wanted(x)[:, 0], torch.tensor([4.0, 12.0, 26.0, 42.0]))
