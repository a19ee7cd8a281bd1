"""Validation on new ground: publishers, bands, and one known row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.published.shipped import calibration_table, shipped
from simulator.questions.validate.answer import validate
from tests.support.tables import published_cells, write_table


@pytest.fixture
def foreign(tmp_path):
    """Rows of two publishers that no fit saw, each with its own bias."""
    rows = [row for row in published_cells() if row["source"].startswith("MosaicML")][:24]
    for place, row in enumerate(rows):
        bias = 0.5 if place % 2 else 0.8
        row["source"] = f"publisher {place % 2}"
        row["tokens_per_s_per_chip"] = f"{float(row['tokens_per_s_per_chip']) * bias}"
    return write_table(tmp_path / "foreign.csv", rows)


def test_every_validation_has_the_width_of_its_band_and_the_median_of_publishers(foreign):
    answer = validate(throughput=foreign, runs="published").as_json()
    summaries = (answer["all"], answer["dense"], answer["chip_hours"]["blind"]["all"])
    for summary in summaries:
        assert summary["median_band_ratio"] > 1
        assert summary["by_publisher"] > 0
    medians = [each["median_abs_rel_error"] for each in answer["by"]["publisher"].values()]
    assert answer["all"]["by_publisher"] == pytest.approx(np.median(medians))


def test_a_publisher_that_no_fit_saw_has_the_band_of_a_newcomer(foreign):
    new = validate(throughput=foreign).as_json()["all"]["median_band_ratio"]
    seen = validate(throughput=shipped("throughput.csv")).as_json()["by"]["publisher"]["MosaicML"]
    assert new > 1.3 * seen["median_band_ratio"]


def test_one_known_row_of_each_source_and_chip_takes_most_of_a_bias(foreign):
    before = validate(throughput=foreign).as_json()
    after = validate(throughput=foreign, given_one=True).as_json()
    assert after["given_one"]
    groups = {(row["source"], row["chip"]) for row in after["rows"]}
    assert after["all"]["n"] == before["all"]["n"] - len(groups)
    assert sum(row["error"] is None for row in after["rows"]) == len(groups)
    error = "median_abs_rel_error"
    assert after["all"][error] < 0.7 * before["all"][error]


def test_errors_of_rows_that_were_left_out_are_listed_by_row_and_by_publisher(foreign):
    fitted = validate(throughput=foreign).throughput
    errors = np.log(np.linspace(0.5, 2, len(fitted.table.rows)))
    errors[0] = np.nan
    unseen = fitted.validation.left_out(errors, lambda row: row.publisher)
    answer = replace(fitted, left_out={"publisher": unseen}).as_json()
    rows = [row["left_out"]["publisher"] for row in answer["rows"]]
    assert rows[0] is None
    assert rows[1:] == pytest.approx(np.expm1(errors[1:]))
    by_name = answer["left_out_by_publisher"]["publisher"]["dense"]
    assert set(by_name) == {row["publisher"] for row in answer["rows"]}
    assert sum(each["n"] for each in by_name.values()) == len(rows) - 1
    assert answer["left_out"]["publisher"]["dense"]["n"] == len(rows) - 1


def test_the_rows_that_calibrate_newcomers_are_in_no_fit():
    answer = validate(throughput="calibration")
    publishers = {row.publisher for row in answer.throughput.table.rows}
    fitted = set(answer.throughput.validation.pool.provenance["publishers"])
    assert {"Marin", "AMD"} <= publishers - fitted
    assert len(answer.throughput.table.rows) + len(answer.throughput.table.skipped) == 67
    assert calibration_table().exists()


def test_words_that_were_not_understood_are_printed_and_counted(simulator):
    _, out, _ = simulator("validate", "--throughput", "calibration")
    assert "words not understood" in out
    counted = validate(throughput="calibration").as_json()["not_understood"]
    assert counted["other_opts: fused grouped GEMM"] == 2
