"""Published rows: what is read, what is refused, and that no row is predicted from its own rate."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import numpy as np
import pytest

from simulator.fit.pool import published_pool
from simulator.fit.throughput import evaluate
from simulator.published.shipped import shipped
from simulator.published.throughput import parse, read_throughput
from simulator.questions.validate.throughput import compare
from tests.support.tables import published_cells, write_table


@pytest.fixture(scope="module")
def cells():
    return published_cells()[:40]


def test_a_prediction_does_not_depend_on_the_measured_rate_of_its_row(cells):
    rows = parse(cells).rows
    blind = [replace(row, measured=None) for row in rows]
    wrong = [replace(row, measured=1e9) for row in rows]
    rates = [evaluate(copies, published_pool()).tokens_per_s for copies in (rows, blind, wrong)]
    np.testing.assert_array_equal(rates[0], rates[1])
    np.testing.assert_array_equal(rates[0], rates[2])


def test_a_row_is_predicted_alone_as_it_is_among_others(cells):
    rows = parse(cells).rows
    together = evaluate(rows, published_pool()).tokens_per_s
    alone = [evaluate([row], published_pool()).tokens_per_s[0] for row in rows[:5]]
    np.testing.assert_allclose(alone, together[:5], rtol=1e-12)


def test_columns_may_be_in_any_order_or_missing(cells, tmp_path):
    kept = [name for name in reversed(list(cells[0])) if name not in ("tier", "notes", "doubt")]
    path = write_table(tmp_path / "rows.csv", [{name: row[name] for name in kept} for row in cells])
    rows = read_throughput(path).rows
    assert [row.shape for row in rows] == [row.shape for row in parse(cells).rows]
    assert {row.tier for row in rows} == {"B"}


def test_every_shipped_row_is_predicted_or_skipped_with_a_reason():
    table = read_throughput(shipped("throughput.csv"))
    answer = compare(evaluate(table.rows, published_pool()), published_pool())
    rates = answer.evaluated.tokens_per_s
    assert np.all(np.isfinite(rates))
    assert np.all((answer.low < rates) & (rates < answer.high))
    assert len(table.rows) + len(table.skipped) == 879


def test_a_copy_of_the_model_on_more_chips_than_there_are_is_skipped_with_a_reason(
    cells, tmp_path, simulator
):
    impossible = cells[0] | {"tp": "8", "pp": "8", "n_chips": "16"}
    path = write_table(tmp_path / "rows.csv", [impossible, cells[1]])
    code, out, err = simulator("validate", "--throughput", path, "--json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert "tp * pp * cp" in answer["skipped"][impossible["row_id"]]
    assert answer["all"]["n"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [("a,b\n1,2\n", "no layers or model_name, chip"), ("layers,d_model,chip\n", "no rows")],
)
def test_a_file_without_rows_or_columns_is_refused_in_one_line(text, message, tmp_path, simulator):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    code, out, err = simulator("validate", "--throughput", path)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_own_rows_move_the_constants_toward_a_slower_framework(cells, tmp_path, simulator):
    slower = []
    for row in cells:
        rate = float(row["tokens_per_s_per_chip"]) * 0.7
        slower.append(row | {"tokens_per_s_per_chip": f"{rate}", "framework": "ours"})
    path, out = write_table(tmp_path / "own.csv", slower), tmp_path / "constants.json"
    assert simulator("calibrate", path, "--out", out)[0] == 0
    before = json.loads(simulator("validate", "--throughput", path, "--json")[1])
    after = json.loads(simulator("validate", "--throughput", path, "--constants", out, "--json")[1])
    assert after["all"]["median_abs_rel_error"] < before["all"]["median_abs_rel_error"] / 2


def test_the_page_of_one_row_says_what_it_tells_and_a_command_that_uses_it(
    cells, tmp_path, simulator
):
    path, out = write_table(tmp_path / "own.csv", cells[:1]), tmp_path / "our constants.json"
    page = simulator("calibrate", path, "--out", out)[1]
    assert f"{cells[0]['chip']}" in page
    assert "of their predicted time" in page
    assert "by 1 row" in page
    (use,) = [line.partition("next: ")[2] for line in page.splitlines() if "next: " in line]
    scenario = tmp_path / "ours.toml"
    assert simulator("init", scenario)[0] == 0
    words = shlex.split(use.replace("SCENARIO.toml", shlex.quote(str(scenario))))[1:]
    code, out, err = simulator(*words, "--set", f"hardware.chip={cells[0]['chip']}")
    assert (code, "scaled to" in out) == (0, True), err


@pytest.mark.parametrize(("column", "cell"), [("n_chips", "nan"), ("tp", "NaN")])
def test_a_cell_that_is_no_number_is_named_and_not_taken_for_a_blank_one(cells, column, cell):
    table = parse([cells[0], cells[1] | {column: cell, "row_id": "odd"}])
    assert len(table.rows) == 1
    assert f"got {cell}" in table.skipped["odd"]


@pytest.mark.parametrize(
    ("change", "named"), [({"chip": "h10000"}, "h10000"), ({"tp": "-2"}, "-2")]
)
def test_a_table_whose_only_row_is_skipped_is_refused_with_its_reason(
    cells, change, named, tmp_path, simulator
):
    path = write_table(tmp_path / "own.csv", [cells[0] | change])
    code, out, err = simulator("calibrate", path)
    assert (code, out) == (4, "")
    assert named in err
    assert err.count("\n") == 1
