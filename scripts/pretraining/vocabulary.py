"""A byte-level BPE vocabulary: any text can be written in it and read back without loss."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

PAD, BEGIN, END = "<|pad|>", "<|begin|>", "<|end|>"


def learn(documents: Iterable[str], size: int) -> Tokenizer:
    """The 256 bytes, then the merges that shorten the documents most (Sennrich et al. 2016; on
    bytes: Radford et al. 2019). `<|begin|>` is put before every text, `<|end|>` is for the caller.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[PAD, BEGIN, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", special_tokens=[(BEGIN, tokenizer.token_to_id(BEGIN))]
    )
    return tokenizer


def save(tokenizer: Tokenizer, folder: Path, positions: int) -> None:
    """tokenizer.json and its config, as transformers reads them."""
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BEGIN,
        eos_token=END,
        model_max_length=positions,
        clean_up_tokenization_spaces=False,
    ).save_pretrained(folder)
