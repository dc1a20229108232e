"""What a run will take, from shapes and settings alone: arithmetic, no model and no torch.

Memory is counted tensor by tensor, as models/llama.py keeps them; time by multiplications, at the
rate at which this machine was measured to do them (training/speed.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import psutil

from lora_lab.config import HELDOUT_ROWS, SAMPLE_TOKENS, Settings
from lora_lab.errors import LabError
from lora_lab.models.shapes import Matrix, Shapes
from lora_lab.training.counting import Count, count, shared
from lora_lab.training.speed import Speed

LEAN = {"LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"}


@dataclass(frozen=True)
class Reading:
    """What is known of the rows: tokens of a mean row, the share of them that the loss counts,
    and how many rows are held out."""

    mean_tokens: float
    supervised_share: float = 1.0
    heldout_rows: int = HELDOUT_ROWS


def forecast(shapes: Shapes, settings: Settings, reading: Reading, speed: Speed) -> dict:
    """{"memory_bytes", "seconds", "seconds_a_step"} of a run on this machine's processor."""
    job = _Job(shapes, settings, reading, speed)
    return {
        "memory_bytes": round(sum(job.memory().values())),
        "seconds": job.seconds(),
        "seconds_a_step": job.step_seconds(),
    }


def memory(shapes: Shapes, settings: Settings, reading: Reading, speed: Speed) -> dict[str, int]:
    """Bytes by what they hold: "process", "weights", "gradients", "optimizer", "activations"."""
    job = _Job(shapes, settings, reading, speed)
    return {part: round(size) for part, size in job.memory().items()}


def check_it_fits(expected: dict) -> None:
    """Raises LabError("not_enough_memory") when less is free than the forecast asks for."""
    free = psutil.virtual_memory().available
    if expected["memory_bytes"] > free:
        raise LabError(
            "not_enough_memory",
            needed_gb=round(expected["memory_bytes"] / 1e9, 1),
            free_gb=round(free / 1e9, 1),
        )


# Measured once on a two-core machine and on five models of 0.1 to 135 million parameters.
FLOAT32 = 4  # bytes
PROCESS_BYTES = 430e6  # Python with torch and transformers imported
COMPILED_BYTES = 20e6  # bfloat16 products are compiled for each new length of a share, so much …
COMPILED_SHAPES = 36  # … until the library's cache is full
SLACK = 1.25  # what the allocator holds beyond the tensors
LOGITS_BYTES = 40e6  # the loss works on so much of the logits at a time
SHARE_OF_PEAK = 0.6  # of the multiplying rate, over a whole step of the lean forward
SHARE_OF_PLAIN = 0.36  # the same of transformers' own forward
STEPS_A_LAYER = 160  # small operations a layer costs in a training step, forward and back
STEPS_A_MAGNITUDE = 40  # the same for one matrix of DoRA
STEPS_A_TOKEN = 500  # the same for one token of a sample
MEMORY_RATE = 8e9  # bytes read a second: of the weights, as one token of a sample needs, …
ADAPTER_PASSES = 6  # … and so often of what goes into and out of an adapted matrix in a step


@dataclass(frozen=True)
class _Job:
    shapes: Shapes
    settings: Settings
    reading: Reading
    speed: Speed

    @property
    def width(self) -> int:
        """Bytes of one number of the base."""
        return 4 if self.precision == "float32" else 2

    @property
    def precision(self) -> str:
        if self.settings.precision != "auto":
            return self.settings.precision
        fast = self.speed.bfloat16 > self.speed.float32 and not self.shapes.small
        fast = fast and not self.full
        return "bfloat16" if fast else "float32"

    @property
    def shares(self) -> int:
        """Of a batch's rows, computed at the same time."""
        if not shared(self.settings, self.trained):
            return 1
        return min(self.settings.threads or self.speed.cores, self.settings.batch_size)

    @property
    def threads(self) -> int:
        """Those at work in a step, as training/machine.py settles them."""
        if self.shapes.small:
            return self.shares
        return self.settings.threads or self.speed.cores

    @property
    def full(self) -> bool:
        """Whether the base itself is trained."""
        return self.settings.method == "full"

    @property
    def lean(self) -> bool:
        """Whether the forward of models/llama.py is taken, which trains no weight of the base."""
        return self.shapes.architecture in LEAN and not self.full

    @property
    def row(self) -> float:
        """Tokens of a mean row after the cut."""
        return min(self.reading.mean_tokens, self.settings.max_length)

    @property
    def adapted(self) -> list[Matrix]:
        every = self.shapes.paths()
        return [every[path] for path in self.counted.adapted]

    @cached_property
    def counted(self) -> Count:
        return count(self.shapes, self.settings)

    @property
    def trained(self) -> int:
        """Trained numbers."""
        return self.counted.trainable

    @property
    def looked_at(self) -> float:
        """Positions that the last token of a row looks at: the row, and the prefix before it."""
        before = "prefix" in self.settings.method
        return self.row + (self.settings.prefix_tokens if before else 0)

    def memory(self) -> dict[str, float]:
        """Bytes of the process itself; of the base's weights and, besides, those of the adapter and
        of the best so far; of the gradients and AdamW's two means, both in float32; and of what one
        batch keeps for its way back."""
        # A batch of longest rows decides, not a mean one.
        tokens = self.settings.batch_size * min(1.5 * self.row, self.settings.max_length)
        shapes = self.settings.steps * self.settings.accumulation * self.shares
        compiled = COMPILED_BYTES * min(shapes, COMPILED_SHAPES)
        if self.precision != "bfloat16":
            compiled = 0
        copies = 1 if self.full else 2
        return {
            "process": PROCESS_BYTES + LOGITS_BYTES + compiled,
            "weights": self.shapes.total * self.width + FLOAT32 * copies * self.trained,
            "gradients": FLOAT32 * self.trained,
            "optimizer": 2 * FLOAT32 * self.trained,
            "activations": SLACK * self.width * tokens * self._kept_a_token(),
        }

    def _kept_a_token(self) -> float:
        """Numbers that the layers keep of one token between forward and back."""
        s = self.shapes
        keys = s.hidden * s.kv_heads // s.heads
        if self.full:  # every matrix's input, which several share, and autograd's own steps
            inside = 8 * s.hidden + 2 * keys + 2 * s.heads * self.row + 4 * s.ff
            return s.layers * inside + 3 * s.vocab * self.reading.supervised_share
        inputs = {matrix.path: matrix.in_features for matrix in self.adapted}
        if self.settings.method == "dora":  # and the outputs that its gain multiplies
            inputs = {m.path: m.in_features + m.out_features for m in self.adapted}
        inside = 2 * s.hidden + s.hidden + 2 * keys + s.heads * self.looked_at + 2 * s.ff
        if not self.lean:  # plain autograd keeps every step between
            inside += 6 * s.hidden + 4 * s.ff + 2 * s.heads * self.looked_at
        logits = 0 if self.lean else 5 * s.vocab * self.reading.supervised_share
        return s.layers * (inside + sum(inputs.values())) + logits

    def seconds(self) -> float:
        """The steps, the held-out losses and the samples."""
        steps, settings = self.settings.steps, self.settings
        measured = 2 + (steps - 1) // settings.evaluate_every
        sampled = 2 + (steps - 1) // settings.sample_every
        heldout = self._compute(min(self.reading.heldout_rows, HELDOUT_ROWS) * self.row, back=False)
        return steps * self.step_seconds() + measured * heldout + sampled * self._sample()

    def step_seconds(self) -> float:
        settings = self.settings
        tokens = settings.batch_size * self.row
        small = self.shapes.layers * STEPS_A_LAYER
        if settings.method == "dora":
            small += len(self.adapted) * STEPS_A_MAGNITUDE
        beside = self.width * sum(m.in_features + m.out_features for m in self.adapted)
        seconds = self._compute(tokens, back=True) + small * self.speed.step
        seconds += ADAPTER_PASSES * tokens * beside / MEMORY_RATE
        return settings.accumulation * seconds

    def _compute(self, tokens: float, back: bool) -> float:
        """Seconds of multiplying: 2 a weight and token forward, as many again for the way back (and
        once more for the gradient of the base's weights, where they are trained), attention, and
        the head where the loss counts."""
        s = self.shapes
        body = sum(
            m.count * m.in_features * m.out_features
            for m in s.matrices
            if m.kind != "embedding" and m.out_features != s.vocab
        )
        adapter = 0 if self.full else self.trained
        attention = 2 * self.looked_at * s.hidden * s.layers
        head = s.vocab * s.hidden * self.reading.supervised_share
        one_way = body + adapter + attention + head
        ways = 1 if not back else 3 if self.full else 2
        products = one_way * ways + (adapter + attention if back else 0)
        share = SHARE_OF_PEAK if self.lean else SHARE_OF_PLAIN
        rate = getattr(self.speed, self.precision) * self.threads * share
        return 2 * products * tokens / rate

    def _sample(self) -> float:
        small = self.shapes.layers * STEPS_A_TOKEN * self.speed.step
        return SAMPLE_TOKENS * (small + self.shapes.total * self.width / MEMORY_RATE)
