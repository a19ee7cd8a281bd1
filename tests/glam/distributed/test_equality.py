"""The table of layouts: what is measured is kept, and what differs from one process is named."""

import json

from benchmarks.distributed.equality import MEASURED, failures, read, table
from benchmarks.distributed.worker import RECIPES, cases

CELL = {
    "case": "adamw: data, mixture, gshard",
    "ranks": 2,
    "model": "mixture",
    "dispatch": "gshard",
    "recipe": "adamw",
    "layout": "data",
    "degrees": "1 x 2",
    "steps": 50,
    "loss_falls_by": 0.2,
    "loss": 2e-7,
    "gradient_norm": 3e-7,
    "steps_with_other_experts": [],
    "rewritten_bit_equal": True,
}


def test_a_cell_that_differs_is_named_with_what_differs():
    assert failures([CELL]) == []
    worse = {
        "gradient_norm": 2e-6,
        "steps_with_other_experts": [7],
        "loss_falls_by": 0.09,
        "rewritten_bit_equal": False,
    }
    for name, value in worse.items():
        (problem,) = failures([CELL | {name: value}])
        assert problem.startswith("2 ranks, adamw: data, mixture, gshard: ")


def test_the_table_has_a_row_for_each_layout_and_a_dash_where_nothing_was_measured():
    dense = CELL | {"model": "dense", "dispatch": "dropless", "layout": "FSDP2"}
    heads, rows = table([CELL, dense], "adamw")
    assert heads[3:] == ("mixture, capacity", "dense")
    assert [row[3:] for row in rows] == [["2.0e-07 / 3.0e-07", "-"], ["-", "2.0e-07 / 3.0e-07"]]


def test_a_cell_that_was_being_written_when_the_run_was_killed_is_measured_again(tmp_path):
    file = tmp_path / "cells.jsonl"
    whole = json.dumps(CELL) + "\n"
    file.write_text(whole + whole[:40])
    assert read(file) == [CELL]
    assert read(tmp_path / "none.jsonl") == []


def test_every_cell_of_one_two_and_four_processes_is_measured_and_within_its_limit():
    names = [(ranks, case.name) for ranks in (1, 2, 4) for case in cases(ranks, list(RECIPES))]
    cells = read(MEASURED)
    assert {(cell["ranks"], cell["case"]) for cell in cells} == set(names)
    assert failures(cells) == []
