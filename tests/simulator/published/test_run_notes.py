"""What the notes of a whole run ask for is done: hours are fitted and judged as what they are."""

from __future__ import annotations

import csv
import re

import pytest

from simulator.published.runs import CALENDAR, DERIVED, DOUBTED, STEPS, read_runs
from simulator.published.shipped import runs_of
from simulator.published.tables import Cells, read_table

TABLES = ("published", "calibration")

RUN = {
    "run_id": "a",
    "chip": "a100-sxm4-80gb",
    "kind": "dense",
    "n_layer": "24",
    "d_model": "2048",
    "d_ff": "8192",
    "tokens": "1e11",
    "chip_hours": "1000",
}

ASKS = re.compile(
    r"out of (?:time )?fits|is derived|iteration time|one iteration|sum of step|as one|\+-"
    r"|first \w+ impl"
)
"""Words by which a note asks for a treatment."""


@pytest.fixture(scope="module")
def runs():
    return {row.run_id: row for name in TABLES for row in read_runs(runs_of(name)).rows}


def read(tmp_path, **cells):
    path = tmp_path / "runs.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, sorted({*RUN, *cells}))
        writer.writeheader()
        writer.writerow(RUN | cells)
    return read_runs(path)


@pytest.mark.parametrize(
    ("notes", "basis", "fitted", "judged"),
    [
        ("days to the day", CALENDAR, True, True),
        ("either is wrong, keep out of time fits", DOUBTED, False, True),
        ("days follow from FLOP / measured TFLOP/s: time is derived", DERIVED, False, False),
        ("GPU-hours are logged iteration time x iterations x GPUs", STEPS, True, True),
        ("sum of step times; first expert implementation of the project", STEPS, False, True),
    ],
)
def test_hours_are_fitted_and_judged_as_the_notes_have_them(tmp_path, notes, basis, fitted, judged):
    (row,) = read(tmp_path, notes=notes).rows
    assert (row.hours_basis, row.tells_hours, row.judges("chip_hours")) == (basis, fitted, judged)


def test_a_row_of_one_step_is_steady_and_a_column_says_more_than_notes(tmp_path):
    (step,) = read(tmp_path, workload="step_benchmark").rows
    (stated,) = read(tmp_path, hours_basis="calendar", notes="time is derived").rows
    assert step.is_steady
    assert stated.hours_basis == CALENDAR


def test_another_word_for_what_hours_are_is_refused(tmp_path):
    (problem,) = read(tmp_path, hours_basis="guessed").skipped.values()
    assert "hours_basis" in problem
    assert "guessed" in problem


def test_an_observation_that_another_row_repeats_judges_once(runs):
    assert runs["glam-64b64e-280b"].judges("watts_per_chip")
    assert not runs["glam-64b64e-600b"].judges("watts_per_chip")


def test_a_run_whose_utilization_counts_recomputation_recomputed(runs):
    assert runs["bloomberggpt-50b"].configuration.fields["recompute"] == "full"
    assert "recompute" not in runs["llama2-70b"].configuration.fields


def test_no_note_of_a_shipped_run_that_asks_for_a_treatment_is_passed_over(runs):
    notes = {
        cells["run_id"]: Cells(cells).text("notes")
        for name in TABLES
        for cells in read_table(runs_of(name), "whole runs", ("chip",), "runs.csv")
    }
    asking = {name for name in runs if ASKS.search(notes[name].lower())}
    treated = {
        name
        for name, row in runs.items()
        if row.hours_basis != CALENDAR or row.repeats or row.hours_within
    }
    assert asking == treated
    assert {"openba-15b", "gpt3-175b", "phi3-mini-3.8b", "pythia-70m"} < treated


def test_a_plan_that_the_notes_of_a_run_state_is_its_plan(runs, tmp_path):
    # arXiv:2405.04434 section 3.1.3: 16 stages, 8-way experts, ZeRO-1, no tensor parallelism.
    stated = {"pp": 16, "ep": 8, "tp": 1, "zero": 1}
    fields = runs["deepseek-v2-per-1t"].configuration.fields
    assert {name: fields.get(name) for name in stated} == stated
    (silent,) = read(tmp_path, notes="two runs, a TP of nobody knows what").rows
    assert not set(stated) & set(silent.configuration.fields)
