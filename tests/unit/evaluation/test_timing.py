import time

from lora_lab.evaluation.timing import WARM_UP, ms_per_token
from lora_lab.lora.attaching import attach


def test_a_slower_column_takes_longer_and_all_take_turns(model):
    """One adapter is made slow by 20 ms a token; the order of calls is seen by its layer."""
    path = next(name for name, _ in model.named_modules() if name.endswith(("q_proj", "c_attn")))
    routing = attach(model, "slow", [path], 2, 4.0)
    layer, turns = model.get_submodule(path), []

    def wait(*_):
        turns.append(routing.whole)
        if routing.whole:
            time.sleep(0.02)

    layer.register_forward_hook(wait)
    base, slow = ms_per_token(model, routing, [1, 2, 3], [None, ("slow", 1.0)], steps=5)
    assert slow - base > 15
    assert turns == [None, ("slow", 1.0)] * (WARM_UP + 5)
