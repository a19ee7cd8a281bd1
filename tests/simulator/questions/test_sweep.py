"""A sweep has a row for every choice, and each is what `predict` says of its plan."""

from __future__ import annotations

import csv
import io
import json

import pytest

import simulator
from energy.errors import InfeasibleError, InputError

RUN, TWIN = "glam-64b-64e", "glam-137b"


@pytest.fixture(scope="module")
def swept():
    return simulator.sweep(
        RUN, TWIN, chip=["tpu-v4", "h100"], chips=[512, 1024], region=["FIN", "POL"]
    )


def test_every_choice_has_a_row_or_a_reason(swept):
    assert len(swept.rows) == 14
    assert list(swept.left_out) == [f"{RUN} on 512 tpu-v4"]
    assert "fits in memory" in swept.left_out[f"{RUN} on 512 tpu-v4"]


def test_a_row_is_what_predict_says_of_its_chips_and_place(swept):
    row = next(r for r in swept.rows if (r.cell.model, r.cell.place) == (TWIN, "FIN"))
    there = row.cell.scenario.hardware
    alone = simulator.predict(TWIN, chip=there.chip, chips=there.count, tokens=600e9, zone="FIN")
    hours = row.amounts["time_h"]
    # The twin has the batch of the run that it is put into.
    assert hours.numbers() == pytest.approx(
        [s / 3600 for s in row.prediction.record.elapsed_s.numbers()]
    )
    assert hours.low < alone.record.elapsed_s.value / 3600 < hours.high


def test_no_front_has_a_faster_plan_than_the_sweep_of_its_choices(swept):
    front = simulator.pareto(
        RUN, TWIN, chip=["tpu-v4", "h100"], chips=[512, 1024], region=["FIN", "POL"]
    )
    fastest = min(choice.quantities["weeks"].value for choice in front.choices)
    assert min(r.amounts["time_h"].value for r in swept.rows) == pytest.approx(fastest * 168)


def test_a_place_changes_the_grams_of_a_row_and_not_its_hours(swept):
    rows = {(r.cell.model, r.cell.scenario.hardware.chip, r.cell.place): r for r in swept.rows}
    for (model, chip, place), row in rows.items():
        if place == "FIN":
            other = rows[model, chip, "POL"]
            assert row.amounts["time_h"].value == other.amounts["time_h"].value
            assert row.amounts["co2_t"].value < 0.2 * other.amounts["co2_t"].value


def test_the_verb_prints_the_rows_of_the_function(simulator):
    words = ("sweep", RUN, "--chip", "h100", "--chips", "512,1024", "--region", "FIN")
    code, out, err = simulator(*words, "--json")
    assert (code, err) == (0, "")
    rows = json.loads(out)["rows"]
    assert [row["chips"] for row in rows] == [512, 1024]
    assert rows[0]["energy_mwh"]["unit"] == "MWh"
    _, table, _ = simulator(*words, "--csv")
    (first, _) = csv.DictReader(io.StringIO(table))
    assert float(first["time_h"]) == rows[0]["time_h"]["value"]
    assert {"time_h_low", "energy_mwh", "energy_mwh_origin", "co2_t", "power_mw"} <= set(first)
    code, page, _ = simulator(*words)
    assert code == 0
    assert "the fastest of" in page


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"chip": "h1000"}, InputError, "expected a chip"),
        ({"chip": "h100", "chips": 0}, InputError, "--chips of 1 or more"),
        ({"chip": "h100", "chips": 8}, InfeasibleError, "fits in memory"),
    ],
)
def test_a_sweep_of_nothing_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        simulator.sweep(RUN, **options)
