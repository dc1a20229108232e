"""A GGUF file made into a folder of safetensors, once.

GGUF packs weights, tokenizer and chat template in one file, mostly quantised. The weights are
expanded: what comes out is close to the model that was packed, but not the same bits.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lora_lab.errors import LabError

# Vocabularies learned with every digit on its own; transformers' reader of GGUF knows others.
SINGLE_DIGITS = {"smollm", "refact", "codeshell", "command-r", "exaone", "starcoder"}


def convert(gguf: Path, folder: Path, name: str) -> None:
    """Writes config.json, model.safetensors and the tokenizer of `gguf` into `folder`.

    Unquantised weights keep their precision; quantised ones are expanded to bfloat16, which is
    finer than what they were packed with. Takes 20 s for 135 million parameters.

    Raises gguf_corrupt, unsupported_architecture or model_too_large.
    """
    told = _read(gguf, name)
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    where: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **where)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            dtype=told["dtype"],
            quantization_config=GgufConfig(dequantize=True),
            trust_remote_code=False,
            **where,
        )
    except Exception as error:  # damage shows wherever it is first stumbled upon
        if told["architecture"] in GGUF_SUPPORTED_ARCHITECTURES:
            raise LabError("gguf_corrupt", file=gguf.name) from error
        raise LabError(
            "unsupported_architecture", model=name, architecture=told["architecture"]
        ) from error
    model.save_pretrained(folder)
    _mended(tokenizer, told).save_pretrained(folder)
    _forget_the_place(folder)


def _read(gguf: Path, name: str) -> dict[str, Any]:
    """What the file says of itself: architecture, pre-tokenizer, context, dtype to keep."""
    import psutil
    import torch
    from gguf import GGUFReader

    try:
        reader = GGUFReader(gguf)
        architecture = reader.fields["general.architecture"].contents()
        context = reader.fields[f"{architecture}.context_length"].contents()
        tokens = len(reader.fields["tokenizer.ggml.tokens"].data)
        kinds = {t.tensor_type.name for t in reader.tensors if len(t.shape) > 1}
        size = sum(int(t.n_elements) for t in reader.tensors)
    except Exception as error:  # its reader meets damage with whatever it trips over
        raise LabError("gguf_corrupt", file=gguf.name) from error
    pre = reader.fields.get("tokenizer.ggml.pre")
    only = kinds.pop() if len(kinds) == 1 else ""
    dtype = {"F32": torch.float32, "F16": torch.float16}.get(only, torch.bfloat16)
    need, free = size * (dtype.itemsize + 4), psutil.virtual_memory().available
    if need > free:
        raise LabError(
            "model_too_large", model=name, need=round(need / 1e9, 2), free=round(free / 1e9, 2)
        )
    return {
        "architecture": architecture,
        "context": int(context),
        "tokens": tokens,
        "pre": pre.contents() if pre else "",
        "dtype": dtype,
    }


def _mended(tokenizer: Any, told: dict[str, Any]) -> Any:
    """The tokenizer as its GGUF has it, where transformers reads more or less into it.

    A GGUF without an unknown token gets one past the end of the vocabulary, which the model has no
    row for; the context and the splitting of digits are not read at all.
    """
    from tokenizers import Tokenizer, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    inner = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary = told["tokens"]
    inner["added_tokens"] = [t for t in inner["added_tokens"] if t["id"] < vocabulary]
    names = {
        name: token
        for name, token in tokenizer.special_tokens_map.items()
        if isinstance(token, str) and tokenizer.convert_tokens_to_ids(token) < vocabulary
    }
    backend = Tokenizer.from_str(json.dumps(inner))
    if told["pre"] in SINGLE_DIGITS:
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        chat_template=tokenizer.chat_template,
        model_max_length=told["context"],
        clean_up_tokenization_spaces=False,
        **names,
    )


def _forget_the_place(folder: Path) -> None:
    """Drops the path that transformers writes into config.json: a cache can be moved."""
    file = folder / "config.json"
    config = json.loads(file.read_text("utf-8"))
    config.pop("_model_name_or_path", None)
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")
