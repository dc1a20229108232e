"""A run of each method beside plain LoRA: it learns, leaves its base alone, resumes and loads."""

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from lora_lab import lab
from lora_lab.lora import attaching, peft_format
from lora_lab.models import measuring, shapes
from lora_lab.runs.worker import run_to_its_end
from lora_lab.training import loop
from tests import tiny_models
from tests.expecting import lab_error

METHODS = [
    {"method": "dora"},
    {"init": "pissa", "scaling": "rank-stabilised"},
    {"method": "dora", "init": "pissa", "rate_ratio": 4},
    {"init": "both-gaussian", "dropout": 0.1},
]
NAMES = ["-".join(map(str, settings.values())) for settings in METHODS]


@pytest.mark.parametrize("settings", METHODS, ids=NAMES)
def test_it_learns_leaves_its_base_alone_and_means_the_same_in_peft(queued, tiny, settings):
    run = queued(steps=30, learning_rate=0.02, targets="linear", rank=4, **settings)
    run_to_its_end(run)
    result = run.result()
    assert result["heldout_loss"] < result["heldout_loss_before"]
    assert result["base_hash_before"] == result["base_hash_after"]
    base = AutoModelForCausalLM.from_pretrained(tiny, attn_implementation="eager").eval()
    ids = torch.arange(2, 40).view(2, 19)
    with torch.no_grad():
        routing = attaching.add(base, "a", peft_format.load(run.adapter))
        here = base(ids).logits
        routing.off()
        assert not torch.allclose(base(ids).logits, here, atol=1e-2)
        attaching.detach(base)
        assert torch.allclose(
            PeftModel.from_pretrained(base, run.adapter)(ids).logits, here, atol=1e-4
        )


@pytest.mark.parametrize("settings", METHODS[1:3], ids=NAMES[1:3])
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(queued, monkeypatch, settings):
    undisturbed, run = (queued(targets="linear", rank=4, **settings) for _ in range(2))
    run_to_its_end(undisturbed)
    real = loop._Training._step

    def stopping(training):
        if training.progress.step == 6:
            lab.stop(run.id, "ana")
        return real(training)

    with monkeypatch.context() as patch:
        patch.setattr(loop._Training, "_step", stopping)
        run_to_its_end(run)
    assert run.status()["state"] == "stopped"
    lab.resume(run.id, "ana")
    run_to_its_end(run)
    kept, wanted = (load_file(r.adapter / peft_format.TENSORS) for r in (run, undisturbed))
    assert kept.keys() == wanted.keys()
    assert all(torch.equal(kept[name], wanted[name]) for name in kept)


def test_embeddings_of_their_own_are_trained_and_tied_ones_refused(queued, tmp_path):
    tiny_models.save("gpt_neox", tmp_path / "untied")
    shapes.keep(str(tmp_path / "untied"), measuring.measure(tmp_path / "untied"))
    model = str(tmp_path / "untied")
    run = queued(model=model, targets="embeddings", steps=20, learning_rate=0.02, rank=4)
    run_to_its_end(run)
    assert run.status()["state"] == "done", run.status()
    assert run.result()["heldout_loss"] < run.result()["heldout_loss_before"]
    assert peft_format.load(run.adapter).embeddings == {"gpt_neox.embed_in"}
    with lab_error("embeddings_tied"):
        queued(targets="embeddings")
