import os
from itertools import count

import pytest
import torch

from lora_lab.training import checkpoint
from lora_lab.training.checkpoint import Checkpoint, Progress


def sample(step: int) -> Checkpoint:
    tensors = {"a": torch.full((3, 2), float(step)), "b": torch.arange(4.0)}
    return Checkpoint(
        Progress(step=step, seconds=1.5, tokens=9, best_loss=2.0, best_step=1),
        adapter=tensors,
        best={"a": torch.ones(3, 2)},
        moments={"exp_avg": tensors, "exp_avg_sq": tensors},
        random={"cpu": torch.get_rng_state()},
    )


def test_what_was_saved_comes_back_bit_for_bit(tmp_path):
    saved = sample(20)
    checkpoint.save(tmp_path, saved)
    loaded = checkpoint.load(tmp_path)
    assert loaded.progress == saved.progress
    for group in ("adapter", "best", "random"):
        ours, theirs = getattr(saved, group), getattr(loaded, group)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert torch.equal(loaded.moments["exp_avg_sq"]["a"], saved.moments["exp_avg_sq"]["a"])


def test_there_is_none_before_the_first(tmp_path):
    assert checkpoint.load(tmp_path) is None


def test_only_the_last_is_kept(tmp_path):
    for step in (1, 2, 3):
        checkpoint.save(tmp_path, sample(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "step-000003"]


def test_the_pointer_is_replaced_and_never_rewritten(tmp_path):
    """A file that is written anew where it stands is empty for a moment."""
    checkpoint.save(tmp_path, sample(1))
    with (tmp_path / "latest").open() as opened:
        checkpoint.save(tmp_path, sample(2))
        assert opened.read() == "step-000001"
    assert (tmp_path / "latest").read_text() == "step-000002"


def test_one_without_moments_is_whole_too(tmp_path):
    """Before the first step AdamW has no means and nothing has been measured."""
    empty = Checkpoint(
        Progress(), {"a": torch.ones(1)}, {}, {"exp_avg": {}, "exp_avg_sq": {}}, sample(0).random
    )
    checkpoint.save(tmp_path, empty)
    assert checkpoint.load(tmp_path).moments == {"exp_avg": {}, "exp_avg_sq": {}}


def save_and_die(folder, saved, after):
    """Save in a process that ends, with code 9, at its flush to the disk after that many."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    real, left = os.fsync, iter(range(after))
    os.fsync = lambda handle: os._exit(9) if next(left, None) is None else real(handle)
    try:
        checkpoint.save(folder, saved)
        os._exit(0)
    finally:
        os._exit(1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_dying_at_any_point_of_a_save_leaves_a_whole_checkpoint(tmp_path):
    """The process is ended at its 1st, 2nd, … flush to the disk, until a save gets through."""
    seen = []
    for after in count():
        folder = tmp_path / str(after)
        checkpoint.save(folder, sample(1))
        code = save_and_die(folder, sample(2), after)
        seen.append(checkpoint.load(folder).progress.step)
        checkpoint.save(folder, sample(3))  # and what was left behind is in nobody's way
        assert checkpoint.load(folder).progress.step == 3
        if code == 0:
            break
        assert code == 9
    assert seen == sorted(seen) and set(seen) == {1, 2} and len(seen) > 6
