import pytest

from lora_lab.evaluation import timing
from lora_lab.lora.attaching import attach


def test_each_column_is_timed_by_itself_and_all_take_turns(model, monkeypatch):
    """The clock is the test's own: 3 ms pass in the base's layer, 20 ms in the adapter's."""
    path = next(name for name, _ in model.named_modules() if name.endswith(("q_proj", "c_attn")))
    routing = attach(model, "slow", [path], 2, 4.0)
    clock, turns = [0.0], []

    def pass_time(*_):
        turns.append(routing.whole)
        # The first steps, which read the prompt and warm up, take long and must not count.
        late = len(turns) > 2 * timing.WARM_UP
        clock[0] += (0.020 if routing.whole else 0.003) if late else 5.0

    model.get_submodule(path).register_forward_hook(pass_time)
    monkeypatch.setattr(timing, "perf_counter", lambda: clock[0])
    columns = [None, ("slow", 1.0)]
    ways = [timing.Way(model, routing, column) for column in columns]
    base, slow = timing.taken(ways, [1, 2, 3], steps=5)
    assert base == pytest.approx([3.0] * 5) and slow == pytest.approx([20.0] * 5)
    assert turns == columns * (timing.WARM_UP + 5)
