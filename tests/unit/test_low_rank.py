"""The use cases around low rank on a tiny model: what they measure, and that no trace is left."""

import json

import pytest
import torch

from lora_lab import lab
from lora_lab.cli.main import main
from lora_lab.errors import LabError
from lora_lab.evaluation import loaded
from lora_lab.lora import peft_format
from lora_lab.lora.adapter import Adapter
from lora_lab.models import sources
from lora_lab.models.loading import base_hash
from tests import tiny_models

QUERIES = [f"model.layers.{layer}.self_attn.q_proj" for layer in (0, 1)]


@pytest.fixture
def place(tmp_path):
    """A model folder and two adapters for it, of which the second is what the first has, cut."""
    tiny_models.save("llama", tmp_path / "model")
    chance = torch.Generator().manual_seed(0)
    tensors = {
        path: (torch.randn(4, 32, generator=chance), torch.randn(32, 4, generator=chance))
        for path in QUERIES
    }
    made_on = {"settings": {"model": str(tmp_path / "model")}}
    peft_format.save(tmp_path / "one", Adapter(4, 4.0, tensors), "base", made_on)
    halves = {path: (A[:2], B[:, :2]) for path, (A, B) in tensors.items()}
    peft_format.save(tmp_path / "two", Adapter(2, 2.0, halves), "base", {})
    (tmp_path / "data.csv").write_text("text\n" + "Once upon a time a boat went to sea.\n" * 20)
    return tmp_path


def test_w0_is_cut_beside_adapters_and_the_model_is_left_as_it_was(place):
    events = list(
        lab.cut_base(
            str(place / "model"),
            "q_proj",
            [32, 2],
            [str(place / "one"), str(place / "two")],
            data=str(place / "data.csv"),
        )
    )
    by_kind = {kind: [e for e in events if e["kind"] == kind] for kind in ("adapter", "cut")}
    (base,) = [event for event in events if event["kind"] == "base"]
    assert base["original"] == 2 * 32 * 32 and base["rows"] == 2
    assert [(e["rank"], e["trainable"]) for e in by_kind["adapter"]] == [(4, 512), (2, 256)]
    low, whole = by_kind["cut"]
    assert (low["rank"], low["kept"], whole["rank"]) == (2, 256, 32)
    assert whole["loss"] == pytest.approx(base["loss"], abs=1e-4)
    assert low["loss"] != base["loss"] and low["relative_error"] > 0.5
    kept = loaded.base(sources.fetch(str(place / "model")), "cpu", "float32")
    assert base_hash(kept.model) == base_hash(tiny_models.save("llama", place / "again"))


def test_a_compressed_adapter_at_its_own_rank_is_itself(place):
    told = list(
        lab.compress(str(place / "model"), str(place / "one"), [1, 4], str(place / "data.csv"))
    )
    one, whole = [event for event in told if event["kind"] == "compressed"]
    (cut,) = lab_cut(place, "one")
    assert whole["loss"] == pytest.approx(cut["loss"], abs=1e-5)
    assert whole["relative_error"] == pytest.approx(0, abs=1e-6)
    assert one["trainable"] * 4 == whole["trainable"] == cut["trainable"]
    assert 0 < one["relative_error"] < 1


def lab_cut(place, adapter):
    model, folder = str(place / "model"), str(place / adapter)
    events = lab.cut_base(model, "q_proj", [1], [folder], str(place / "data.csv"))
    return [event for event in events if event["kind"] == "adapter"]


@pytest.mark.parametrize("ranks", [[5], [0], [], "4"])
def test_no_adapter_is_compressed_to_more_than_it_has(place, ranks):
    with pytest.raises(LabError) as caught:
        list(lab.compress(str(place / "model"), str(place / "one"), ranks))
    assert caught.value.key == "ranks_to_cut"


def test_spectrum_on_the_command_line(place, capfd):
    arguments = ["spectrum", "--adapter", str(place / "one"), "--other", str(place / "two")]
    assert main([*arguments, "--json"], None) == 0
    out, _ = capfd.readouterr()
    assert out.count("\n") == 1
    told = json.loads(out)
    assert [each["path"] for each in told["matrices"]] == QUERIES
    assert told["model"] == str(place / "model") and told["relative_norm"] > 0
    # The smaller one's A is the first two rows of the larger one's: inside its span.
    assert told["similarity"]["phi"][3][1] == pytest.approx(1)
    assert main(arguments, None) == 0
    out, _ = capfd.readouterr()
    assert QUERIES[1] in out and "φ(4, 2) = 1.00" in out


def test_a_base_that_is_not_here_is_not_fetched(place, capfd):
    assert main(["spectrum", "--adapter", str(place / "two"), "--json"], None) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["model"] is None and told["relative_norm"] is None
    peft_format.save(
        place / "far",
        Adapter(1, 1.0, {QUERIES[0]: (torch.ones(1, 32), torch.ones(32, 1))}),
        "base",
        {"settings": {"model": "somebody/elsewhere"}},
    )
    assert main(["spectrum", "--adapter", str(place / "far"), "--json"], None) == 0
    assert json.loads(capfd.readouterr().out)["model"] is None


def test_full_fine_tunings_own_update_is_looked_into_alike(place):
    """W − W0 at every matrix, and the model with it cut to one rank or whole."""
    torch.manual_seed(3)
    base = tiny_models.save("llama", place / "again")
    before = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    for path in QUERIES:
        with torch.no_grad():
            base.get_submodule(path).weight.add_(torch.outer(torch.randn(32), torch.randn(32)))
    base.save_pretrained(place / "tuned")
    *_, told = lab.spectrum(str(place / "tuned"), model=str(place / "model"))
    by_path = {each["path"]: each for each in told["matrices"]}
    assert len(by_path) == 14
    for path in QUERIES:
        assert by_path[path]["effective_rank"] == pytest.approx(1, abs=0.01)
        update = base.state_dict()[f"{path}.weight"] - before[f"{path}.weight"]
        assert by_path[path]["norm"] == pytest.approx(update.norm().item(), rel=1e-4)
    assert by_path["model.layers.0.mlp.up_proj"]["norm"] == 0
    events = lab.compress(str(place / "model"), str(place / "tuned"), [1, 32], _data(place))
    base_loss, one, whole = [event["loss"] for event in events if "loss" in event]
    assert one == pytest.approx(whole, abs=1e-4) and abs(whole - base_loss) > 1e-3


def _data(place):
    return str(place / "data.csv")
