import pytest
import torch

from lora_lab.lora import peft_format
from lora_lab.lora.adapter import Adapter


@pytest.fixture
def adapter(tmp_path):
    """The folder of an adapter for the model in the box."""
    folder = tmp_path / "made"
    tensors = {"model.layers.0.self_attn.q_proj": (torch.ones(2, 128), torch.ones(128, 2))}
    facts = {"base": {"model": "tiny-stories", "hash": "0" * 64}, "data": {"name": "boats.csv"}}
    facts["result"] = {"heldout_loss_before": 2.5, "heldout_loss": 1.5}
    peft_format.save(folder, Adapter(2, 4.0, tensors), "tiny-stories", facts)
    return folder
