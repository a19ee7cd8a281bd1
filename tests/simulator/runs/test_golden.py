"""Published runs from their own inputs: hours x chips x watts x PUE x grid (Patterson et al.)."""

import csv

import pytest

from energy.facts.site import site
from energy.footprint.apply import at_site
from energy.quantity import Boundary, Origin, Quantity
from energy.record import EnergyEntry
from energy.units import G_PER_T, J_PER_MWH, S_PER_HOUR
from tests.support import GOLDEN
from tests.support.records import run_record

RUNS = list(csv.DictReader((GOLDEN / "patterson.csv").read_text().splitlines()))


def exact(value, unit, source="test"):
    return Quantity.exact(value, unit, source)


def placed(row):
    """The run of a row, as a record, placed at its site by the code every record takes."""
    hours, chips, watts = (float(row[key]) for key in ("hours", "chips", "system_w"))
    joules = exact(hours * S_PER_HOUR * chips * watts, "J", row["citation"])
    entry = EnergyEntry(**joules.model_dump(), device="chips", boundary=Boundary.IT)
    record = run_record(row["run"]).model_copy(update={"energy": [entry], "totals": {}})
    grid = exact(float(row["grid_kg_per_kwh"]) * 1000, "g/kWh")
    kind = "grid_location" if row["accounting"] == "gross" else "grid_market"
    return at_site(record, site(pue=exact(float(row["pue"]), "1"), **{kind: grid}))


@pytest.mark.parametrize("row", RUNS, ids=lambda row: f"{row['run']} {row['accounting']}")
def test_a_published_run_is_reproduced_from_its_own_inputs(row):
    record = placed(row)
    energy_mwh = record.totals[Boundary.FACILITY].value / J_PER_MWH
    co2 = record.co2_location_g if row["accounting"] == "gross" else record.co2_market_g
    printed = f"{row['run']}: {energy_mwh:.4g} MWh, {co2.value / G_PER_T:.4g} t; {row['citation']}"
    expected = pytest.approx(float(row["energy_mwh"]), rel=float(row["energy_tolerance"]))
    assert energy_mwh == expected, printed
    expected = pytest.approx(float(row["co2_t"]), rel=float(row["co2_tolerance"]))
    assert co2.value / G_PER_T == expected, printed
    assert co2.origin is Origin.MEASURED


def test_the_famous_gap_is_chips_and_accounting_not_sparsity():
    """GPT-3 over GLaM at 600B tokens, factor by factor (arXiv:2104.10350, arXiv:2112.06905)."""
    glam = next(row for row in RUNS if row["run"].endswith("600B tokens"))
    gpt3 = next(row for row in RUNS if row["run"].startswith("GPT-3"))
    flop = {"glam": 6 * 96.6e9 * 600e9, "gpt3": 6 * 175e9 * 300e9}
    it_j = [placed(row).totals[Boundary.IT].value for row in (glam, gpt3)]
    whole_j = [placed(row).totals[Boundary.FACILITY].value for row in (glam, gpt3)]
    co2_g = [placed(glam).co2_market_g.value, placed(gpt3).co2_location_g.value]
    model = flop["gpt3"] / flop["glam"]
    machine = (it_j[1] / flop["gpt3"]) / (it_j[0] / flop["glam"])
    mechanization = (whole_j[1] / it_j[1]) / (whole_j[0] / it_j[0])
    assert model == pytest.approx(0.906, abs=5e-4)
    assert machine == pytest.approx(3.15, abs=0.01)
    assert mechanization == pytest.approx(0.991, abs=5e-4)
    energy = whole_j[1] / whole_j[0]
    assert energy == pytest.approx(2.83, abs=5e-3)
    assert model * machine * mechanization == pytest.approx(energy, rel=1e-9)
    assert co2_g[1] / co2_g[0] == pytest.approx(13.8, abs=0.05)
    assert (co2_g[1] / co2_g[0]) / energy == pytest.approx(4.88, abs=0.01)


def test_glam_used_28_percent_of_its_peak():
    chip_s = 1024 * 1230 * S_PER_HOUR
    assert 6 * 96.6e9 * 600e9 / (chip_s * 275e12) == pytest.approx(0.279, abs=5e-4)
