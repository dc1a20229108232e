"""Low rank, of W0 and of the update: what it breaks there and why it is enough here (S1, S18)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lora_lab.config import from_json
from lora_lab.errors import LabError
from lora_lab.lab.answers import place_of
from lora_lab.lab.offered import fetch

Events = Iterator[dict[str, Any]]


def spectrum(adapter: str, other: str | None = None, model: str | None = None) -> Events:
    """Heavy. Inside an adapter's updates, or those of full fine-tuning: one {"kind": "spectrum",
    "matrices": [a dict each, see evaluation.inside], "effective_rank" and "relative_norm" in the
    mean, "similarity": with other, another adapter's folder, else None}.

    model: the base, for ‖W0‖; without it the one that the adapter says it was made on, where that
    is on this machine.
    """
    from lora_lab.evaluation import inside
    from lora_lab.models import sources

    if model:
        yield from fetch(model)
    yield {"kind": "progress", "phase": "loading"}
    name = model or _made_on(Path(adapter))
    mine = inside.of_matrices(Path(adapter), name)
    theirs = inside.of_matrices(Path(other), name) if other else None
    told = inside.matrix_by_matrix(mine, sources.fetch(name).folder if name else None)
    yield {
        "kind": "spectrum",
        "rank": mine.rank,
        "alpha": mine.alpha,
        "model": name,
        "matrices": told,
        **inside.summary(told),
        "similarity": inside.similarities(mine, theirs) if theirs else None,
    }


def compress(
    model: str, adapter: str, ranks: list[int] | None = None, data: str | None = None
) -> Events:
    """Heavy. An adapter at ever lower ranks, without any training: after {"kind": "base", "loss",
    "data", "rows"}, {"kind": "compressed", "rank", "loss", "relative_error", "trainable"} for each.

    ranks: None for 1, 2, 4, … up to its own. data: a sample or file to measure on; without it the
    held-out rows of the run that made the adapter, or the English stories in the box.
    """
    from lora_lab.evaluation import cutting, inside
    from lora_lab.evaluation.heldout import heldout_loss
    from lora_lab.lora import attaching, mixing

    base, rows, measured = yield from _measuring(model, [adapter], data)
    whole = inside.of_matrices(Path(adapter), model)
    most = max(A.shape[0] for A, _ in whole.tensors.values())
    wanted = cutting.checked_ranks(ranks, most)
    try:
        yield {"kind": "base", "loss": heldout_loss(base.model, rows), **measured}
        for rank in wanted:
            made = mixing.mix([(whole, 1.0)], rank=rank)
            attaching.add(base.model, "compressed", made.adapter)
            loss = heldout_loss(base.model, rows)
            told = {"rank": rank, "loss": loss, "relative_error": made.error}
            yield {"kind": "compressed", **told, "trainable": made.adapter.numbers}
    finally:
        attaching.detach(base.model)


def cut_base(
    model: str,
    targets: str,
    ranks: list[int] | None,
    adapters: list[str],
    data: str | None = None,
) -> Events:
    """Heavy. W0 itself cut to each rank on the target matrices, beside adapters of the same base:
    {"kind": "base", "loss", "data", "rows", "original", "most"}, {"kind": "adapter", "place" in
    the list, "rank", "trainable", "loss"} for each, then {"kind": "cut", "rank", "kept",
    "relative_error", "loss"}; {"kind": "progress", "phase": "cutting", "done", "total"} between.

    ranks, data: as for compress. The base is what it was afterwards, bit for bit.
    """
    from lora_lab.evaluation import cutting, inside, loaded
    from lora_lab.evaluation.heldout import heldout_loss
    from lora_lab.lora import attaching
    from lora_lab.lora import targets as chosen
    from lora_lab.training import forecast

    folders = [Path(adapter) for adapter in adapters]
    base, rows, measured = yield from _measuring(model, adapters, data)
    paths = chosen.resolve(targets, attaching.matrices(base.model))
    forecast.check_it_fits({"memory_bytes": cutting.memory(base.model, paths)})
    with cutting.taking_apart(base.model, paths) as cut:
        wanted = cutting.checked_ranks(ranks, cut.most)
        loss = heldout_loss(base.model, rows)
        yield {"kind": "base", "loss": loss, **measured, "original": cut.original, "most": cut.most}
        for place, folder in enumerate(folders):
            adapter = inside.of_matrices(folder)
            with loaded.attached(base, [folder]):
                loss = heldout_loss(base.model, rows)
            told = {"place": place, "rank": adapter.rank, "trainable": adapter.numbers}
            yield {"kind": "adapter", **told, "loss": loss}
        for done in cut.decompose():
            yield {"kind": "progress", "phase": "cutting", "done": done, "total": len(paths)}
        for rank in wanted:
            figures = cut.to(rank)
            loss = heldout_loss(base.model, rows)
            yield {"kind": "cut", "rank": rank, **figures, "loss": loss}


def _measuring(model: str, adapters: list[str], data: str | None) -> Any:
    """The base, loaded; the held-out rows as tokens; and what they are called. A generator: it
    tells its progress on the way."""
    from lora_lab.evaluation import loaded
    from lora_lab.models import sources

    yield from fetch(model)
    yield {"kind": "progress", "phase": "loading"}
    place = place_of(from_json({"model": model}))
    base = loaded.base(sources.fetch(model), place.device, place.precision)
    text = _text([Path(adapter) for adapter in adapters], data)
    rows = text.rows(base.tokenizer)
    return base, rows, {"data": text.dataset.name, "rows": len(rows)}


def _text(adapters: list[Path], data: str | None) -> Any:
    """What losses are measured on, as evaluation.comparing takes it."""
    from lora_lab.data import tokenising
    from lora_lab.evaluation import comparing, forgetting
    from lora_lab.lab.data import dataset_of
    from lora_lab.runs import texts

    if data:
        settings = from_json({"data": data})
        whole = dataset_of(settings)
        _, heldout = tokenising.split(whole, settings.heldout_share, settings.seed)
        return comparing.Text(heldout, settings.max_length)
    found = texts.heldout(adapters[:1])
    return found[0] if found else comparing.Text(forgetting.stories(), forgetting.MOST_TOKENS)


def _made_on(adapter: Path) -> str | None:
    """The model that an adapter says it was made on, if that is here already."""
    from lora_lab.lora import peft_format
    from lora_lab.models import sources

    settings = peft_format.facts(adapter).get("settings")
    name = settings.get("model") if isinstance(settings, dict) else None
    try:
        return name if isinstance(name, str) and sources.is_here(name) else None
    except LabError:
        return None
