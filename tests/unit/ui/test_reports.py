"""An experiment's page to keep, and its figures as rows."""

import csv
import io

import pytest

from lora_lab import plots
from lora_lab.ui import reports, views
from tests.experiments import CHOICES, told


@pytest.mark.parametrize("kind", CHOICES)
def test_a_report_is_one_page_with_all_it_takes_to_do_it_again(kind):
    experiment = told(kind)
    panels = [reports.panel(chart, plots) for chart in views.charts(experiment, "en")]
    figure = plots.report("A $title", panels, reports.facts(experiment, "en"))
    drawn = [axes for axes in figure.axes if axes.axison]
    assert len(drawn) == len(panels)
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in drawn)
    text = figure.get_supxlabel()
    assert "torch 9.9" in text and "seed 0" in text and "abababab" in text and "a-run" in text
    assert plots.drawn(figure, "pdf").startswith(b"%PDF")


def test_the_figures_are_a_row_an_arm():
    rows = reports.rows(told("race"))
    text = io.StringIO()
    writer = csv.DictWriter(text, [*reports.COLUMNS, *reports.FIGURES])
    writer.writerows(rows)
    assert len(rows) == 6 and rows[0]["heldout_loss"] == pytest.approx(2.985)
    assert rows[0]["seeds"] == 2 and rows[0]["fingerprint"].startswith("abab")
