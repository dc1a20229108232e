"""Adapters to and from the Hub, through real sockets and huggingface_hub itself."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from lora_lab.lora import peft_format
from lora_lab.lora.adapter import Adapter
from lora_lab.models import hub as hub_module
from lora_lab.shelf import arriving, entry, publishing
from tests import tiny_models
from tests.expecting import lab_error
from tests.integration.loopback import nobody, serving
from tests.integration.shelf import stand_in_push as hubs

BASE, ADAPTER = "someone/tiny-llama", "someone/tiny-adapter"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A model's folder, and peft's own adapter on it with ranks and alphas of their own."""
    place = tmp_path_factory.mktemp("published")
    tiny_models.save("llama", place / "model")
    base = AutoModelForCausalLM.from_pretrained(place / "model")
    config = LoraConfig(
        r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"], use_rslora=True,
        rank_pattern={"down_proj": 7}, alpha_pattern={r"layers\.1\.self_attn\.q_proj": 3},
    )  # fmt: skip
    peers = get_peft_model(base, config)
    peers.peft_config["default"].base_model_name_or_path = BASE
    peers.save_pretrained(place / "adapter")
    return place


@pytest.fixture
def hub(published, monkeypatch):
    with serving(hubs.Pushed()) as server:
        server.publish(BASE, published / "model")
        server.publish(ADAPTER, published / "adapter")
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr(hub_module, "PAUSE_S", 0.01)
        yield server


def source(hub_id=ADAPTER, **more):
    return arriving.Source(hub_id=hub_id, name=hub_id, **more)


def test_an_adapter_of_peft_comes_with_its_patterns_and_finds_its_base(hub, published):
    made, base = arriving.arrive("ana", source(local_bases=False))
    assert made.about["model"] == BASE and base == "unchecked"
    assert made.about["source"] == f"hub:{ADAPTER}@{hubs.COMMIT}"
    ours, theirs = (peft_format.load(f) for f in (made.adapter, published / "adapter"))
    assert {len(A) for A, _ in ours.tensors.values()} == {4, 7}
    for path in theirs.tensors:
        assert ours.scaling(path) == theirs.scaling(path)
        assert torch.equal(ours.tensors[path][0], theirs.tensors[path][0])
    assert not {"model.safetensors"} & set(hub.files_asked()), "its base is not fetched for that"


def test_only_an_adapters_own_files_are_fetched(hub):
    hub.models[ADAPTER] |= {"training_args.bin": b"\x80", "optimizer.pt": b"\x80", "x.py": b""}
    arriving.arrive("ana", source())
    assert not {"training_args.bin", "optimizer.pt", "x.py"} & set(hub.files_asked())


def without_config(files):
    del files["adapter_config.json"]


def pickled(files):
    files["adapter_model.bin"] = files.pop("adapter_model.safetensors")


def absurd(files):
    files["adapter_config.json"] = b"[]"


def broken(files):
    files["adapter_model.safetensors"] = b"no"


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (without_config, "hub_no_adapter"),
        (pickled, "adapter_pickle"),
        (absurd, "adapter_bad_json"),
        (broken, "adapter_file_broken"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_kept(hub, change, key):
    change(hub.models[ADAPTER])
    with lab_error(key):
        arriving.arrive("ana", source())
    assert entry.all_entries() == [] and not list(entry.folder().iterdir())


def test_a_wrong_base_is_said(hub, tmp_path):
    tiny_models.save("gpt2", tmp_path / "other")
    with lab_error("target_not_a_matrix"):
        arriving.arrive("ana", source(), str(tmp_path / "other"))
    with lab_error("local_path_on_shared_server"):
        arriving.arrive("ana", source(local_bases=False), str(tmp_path / "other"))
    with lab_error("not_a_hub_id"):
        arriving.arrive("ana", source("../x"))


def test_a_stranger_s_file_names_no_folder_of_a_shared_machine(hub, published):
    config = hub.models[ADAPTER]["adapter_config.json"].decode()
    local = str(published / "model")
    hub.models[ADAPTER]["adapter_config.json"] = config.replace(BASE, local).encode()
    with lab_error("import_base_unknown"):
        arriving.arrive("ana", source(local_bases=False))
    made, base = arriving.arrive("ana", source())
    assert made.about["model"] == local and base == "unchecked"


def test_what_was_proved_elsewhere_is_not_proved_here(hub):
    told = b'{"proof": {"step0_equal": true}, "base": {"hash": "0"}}'
    hub.models[ADAPTER]["lora_lab.json"] = told
    made, _ = arriving.arrive("ana", source())
    assert "proof" not in peft_format.facts(made.adapter)


def test_pushed_and_imported_again_it_is_the_same(hub, tmp_path):
    path = "model.layers.0.mlp.up_proj"
    sent = Adapter(2, 4.0, {path: (torch.ones(2, 32), torch.ones(48, 2))})
    peft_format.save(tmp_path / "mine", sent, BASE, {"n": 1})
    (tmp_path / "mine" / "secret.txt").write_text("not for others")
    address = publishing.push(tmp_path / "mine", "# A card", "someone/new", hubs.TOKEN)
    assert address.endswith("someone/new") and hub.private["someone/new"] is True
    files = hub.models["someone/new"]
    assert files["README.md"] == b"# A card" and "secret.txt" not in files
    made, _ = arriving.arrive("ana", source("someone/new"))
    assert torch.equal(peft_format.load(made.adapter).tensors[path][0], torch.ones(2, 32))


def test_a_push_that_is_refused_says_why_and_never_the_token(hub, tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    peft_format.save(folder, Adapter(2, 4.0, {"x": (torch.ones(2, 3), torch.ones(3, 2))}), BASE, {})
    for repository, token, key in (
        ("someone/new", "hf_wrong_one", "hub_token_refused"),
        ("somebody-else/new", hubs.TOKEN, "hub_token_refused"),
        ("someone/new", " ", "hub_token_missing"),
        ("new", hubs.TOKEN, "not_a_hub_id"),
    ):
        with lab_error(key):
            publishing.push(folder, "", repository, token)
    monkeypatch.setenv("HF_ENDPOINT", nobody())
    with lab_error("hub_unreachable"):
        publishing.push(folder, "", "someone/new", hubs.TOKEN)
