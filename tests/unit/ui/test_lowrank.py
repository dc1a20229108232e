"""The benches' drawings and tables: what is written in them, for eyes and for ears."""

import pytest
from gradio import EventData

from lora_lab import lab
from lora_lab.config import Settings
from lora_lab.errors import LabError
from lora_lab.ui import bench, cost, heat, lowrank, spectrum
from lora_lab.ui.benching import Benching

BASE = {"kind": "base", "loss": 3.0, "data": "<b>.csv", "rows": 7, "original": 81, "most": 9}
ADAPTER = {"kind": "adapter", "place": 0, "rank": 2, "trainable": 36, "loss": 2.0}


def cut(rank, loss):
    return {"kind": "cut", "rank": rank, "kept": 18 * rank, "relative_error": 0.5, "loss": loss}


def test_signs_are_written_and_not_only_coloured():
    drawn = heat.heat([[-3.0, 0.25], [0.0, 12.4]], "W", 12.4, "en")
    assert ">−3<" in drawn and ">0.2<" in drawn and ">0<" in drawn and ">12<" in drawn
    assert drawn.count('class="minus"') == 1 and "W: 2 by 2 numbers" in drawn


@pytest.mark.parametrize(
    ("value", "written"), [(-0.04, "0.0"), (9.96, "10"), (-9.94, "−9.9"), (123456.0, "1e5")]
)
def test_a_number_fits_its_cell(value, written):
    assert f">{written}<" in heat.heat([[value]], "W", 1, "en")


def test_bars_that_are_kept_are_filled_and_zeros_are_zeros():
    drawn = heat.bars([4.0, 2.0, 1e-16], 1, "es")
    assert drawn.count('class="kept"') == 1 and drawn.count('class="lost"') == 2
    assert "4 · 2 · 0" in drawn and "e-16" not in drawn
    assert heat.bars([0.0], 1, "en")


def test_81_becomes_18():
    told = lab.truncated([3.0, 1e-17], 9, 9, 1)
    drawn = lowrank.hero(told, "en")
    assert "81 → 18" in drawn and "0\u00a0%" in drawn and "e-" not in drawn


def test_the_table_grows_and_ends_in_a_verdict():
    assert lowrank.cut_table([{"kind": "progress"}], "en") == ""
    grown = lowrank.cut_table([BASE, ADAPTER, cut(1, 4.0)], "en")
    assert "W₀ cut to rank 1" in grown and "&lt;b&gt;.csv" in grown and "verdict" not in grown
    whole = lowrank.cut_table([BASE, ADAPTER, cut(1, 4.0), cut(2, 3.5)], "gl")
    assert "Con rango 2" in whole and "3,50" in whole


def test_a_claim_that_fails_is_said_to_fail():
    told = lowrank.cut_table([BASE, {**ADAPTER, "loss": 3.2}, cut(2, 3.5)], "en")
    assert "does not show" in told


@pytest.mark.parametrize(("losses", "holds"), [((2.1, 2.05, 2.0), True), ((2.9, 2.8, 2.0), False)])
def test_compression_says_whether_little_is_enough(losses, holds):
    told = [
        {"kind": "compressed", "rank": rank, "loss": loss, "relative_error": error, "trainable": 1}
        for rank, loss, error in zip((1, 2, 4), losses, (0.5, 0.3, 0.0), strict=True)
    ]
    drawn = lowrank.compressed_table([BASE, *told], "en")
    assert ("The claim holds here" in drawn) is holds
    assert ("needs most of its rank" in drawn) is not holds


def test_inside_tells_each_matrix_and_what_is_shared():
    matrix = {
        "path": "model.layers.3.self_attn.q_proj", "layer": 3, "matrix": "q_proj", "rank": 2,
        "singular_values": [2.0, 1.0], "effective_rank": 1.9, "norm": 2.2, "base_norm": None,
        "relative_norm": None,
    }  # fmt: skip
    shared = {"phi": [[0.25]], "random": [[0.01]], "matrices": 1, "by_matrix": {}}
    told = {"rank": 2, "effective_rank": 1.9, "relative_norm": None, "matrices": [matrix]}
    drawn = spectrum.inside({**told, "similarity": shared}, "en")
    assert '<th scope="col">q_proj' in drawn and '<th scope="row">layer 3' in drawn
    assert "0.25 <small>(0.01)" in drawn and "1.9 of 2" in drawn
    assert "shared" not in spectrum.inside({**told, "similarity": None}, "en")


def test_the_cost_of_every_model_that_is_offered():
    for model in ("tiny-stories", "gpt3-175b"):
        drawn = cost.counted(lab.cost(Settings(model=model, rank=1), 3), "es")
        assert "Ajuste completo" in drawn and "tareas: 3" in drawn
    assert "Aún no hay nada" in cost.measured([], "es")


class Nothing:
    """Stands where the tab and the warm process would; these handlers touch neither."""


@pytest.fixture
def does():
    return Benching(Nothing(), "en", Nothing())


@pytest.mark.parametrize(
    "cells", [None, "x", [[1]], [[1] * 9] * 8, [[1] * 1000] * 1000, [["nan"] * 9] * 9]
)
def test_a_page_may_send_what_it_likes_as_cells(does, cells):
    with pytest.raises(LabError) as caught:
        does.type(1, EventData(None, {"cells": cells}))
    assert caught.value.text()


@pytest.mark.parametrize("model", ["/etc", "../model", "somebody/model", "", None])
def test_no_folder_of_the_machine_is_looked_into(does, model):
    with pytest.raises(LabError):
        does.list_matrices(model)
    with pytest.raises(LabError):
        list(does.read_weight(model, "model.norm", 1))
    with pytest.raises(LabError):
        cost.Costing("en").reckon(model, 1, "linear", 1)


def test_the_cells_are_named_for_those_who_do_not_see_them():
    drawn = bench.grid([[1.0, -2.5]], "gl")
    assert 'aria-label="fila 1, columna 2"' in drawn and 'value="−2.5"' in drawn
