"""How quantities and records appear in a terminal, a notebook and a data frame."""

import io
import math
import subprocess
import sys

import pytest
from IPython.lib.pretty import pretty
from rich.console import Console

import energy
from energy.errors import MissingDataError
from energy.quantity import Origin, Quantity
from energy.reports.summary import with_band
from energy.units import J_PER_MWH, change
from tests.support.records import run_record

ENERGY = Quantity(
    value=456 * J_PER_MWH,
    low=444 * J_PER_MWH,
    high=468 * J_PER_MWH,
    unit="J",
    origin=Origin.MODELLED,
    source="formula",
)


@pytest.mark.parametrize(
    ("quantity", "line"),
    [
        (ENERGY, "456 MWh (80 %: 444 to 468, modelled)"),
        (Quantity.exact(6e11, "1", "count"), "600B (measured)"),
        (Quantity.absent("L", "no site"), "missing (no site)"),
        (
            Quantity(value=1e6, low=9e5, high=1.1e6, unit="g", origin=Origin.ASSUMED),
            "1.00 t (80 %: 900 kg to 1.10 t, assumed)",
        ),
    ],
)
def test_a_quantity_is_one_line_with_value_band_and_origin(quantity, line):
    assert repr(quantity) == str(quantity) == line


def test_the_band_names_its_unit_once():
    assert ENERGY.band() == "80 %: 444 to 468 MWh"
    assert Quantity.exact(1.0, "s", "clock").band() == "exact"
    assert Quantity.absent("s", "no clock").band() == ""


@pytest.mark.parametrize(
    ("quantity", "page"),
    [
        (
            ENERGY,
            '<span title="formula"><b>456 MWh</b> '
            "<small>80 %: 444 to 468 MWh, modelled</small></span>",
        ),
        (
            Quantity.exact(2.0, "1", 'a "b" < 3'),
            '<span title="a &quot;b&quot; &lt; 3"><b>2</b> <small>exact, measured</small></span>',
        ),
        (Quantity.absent("L", "no <site>"), "<b>missing</b> <small>no &lt;site&gt;</small>"),
    ],
)
def test_a_quantity_in_a_notebook_has_value_band_and_origin(quantity, page):
    assert quantity._repr_html_() == page


def test_a_record_is_one_line_with_kind_energy_boundary_and_co2():
    record = run_record("mine", it_j=1e9, pue=1.2)
    assert repr(record) == "RunRecord('mine', measured, 0.333 MWh facility, 133 kg CO2e)"


def test_a_record_in_a_notebook_is_a_table_with_value_band_and_origin():
    page = run_record("<mine>", relative=0.1)._repr_html_()
    heads = ("value", "band")
    numbers = "".join(f'<th class="number">{head}</th>' for head in heads)
    assert f"{numbers}<th>origin</th>" in page
    assert "energy, facility" in page
    assert "RunRecord(&#x27;&lt;mine&gt;&#x27;" in page
    assert "color" not in page


def test_a_record_in_ipython_and_rich_is_the_same_small_table_with_what_is_missing_below():
    record = run_record("[bold]mine", it_j=1e9, pue=1.2, relative=0.1)
    text = pretty(record)
    console = Console(file=io.StringIO(), width=200)
    console.print(record)
    assert console.file.getvalue() == text + "\n"
    head, *rows, missing = text.splitlines()
    assert head == repr(record)
    words = "energy, facility 0.333 MWh 80 %: 0.300 to 0.367 MWh measured"
    assert words in (" ".join(row.split()) for row in rows)
    assert missing.startswith("missing: ")
    assert len(rows) < 15


def test_records_in_a_list_are_a_line_each():
    record = run_record("mine")
    assert pretty([record, record]) == f"[{record!r},\n {record!r}]"


def test_a_record_is_saved_into_the_folder_that_it_is_loaded_from(tmp_path):
    record = run_record("mine")
    record.save(tmp_path)
    assert (tmp_path / "record.json").is_file()
    assert type(record).load(tmp_path) == record


def test_the_frame_of_a_record_has_one_row_for_each_headline_quantity():
    record = run_record(it_j=1e4, pue=1.2, relative=0.1)
    frame = record.to_frame()
    assert list(frame.index) == list(record.quantities())
    row = frame.loc["energy_facility_j"]
    assert (row["value"], row["unit"], row["origin"]) == (1.2e4, "J", "measured")
    assert row["low"] < row["value"] < row["high"]
    assert math.isnan(frame.loc["water_l", "value"])
    assert frame.loc["water_l", "source"] == "not given"


def test_without_pandas_a_frame_is_refused_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingDataError, match="pip install"):
        run_record().to_frame()


def test_energy_prints_the_version_of_the_installed_package():
    command = [sys.executable, "-m", "energy.cli", "--version"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, energy.__version__ + "\n")


@pytest.mark.parametrize(
    ("ratio", "digits", "text"),
    [
        (-0.004, 0, "0%"),
        (0.0, 0, "0%"),
        (-0.0004, 1, "0.0%"),
        (0.12, 0, "+12%"),
        (-0.121, 1, "-12.1%"),
    ],
)
def test_a_change_that_rounds_to_nothing_has_no_sign(ratio, digits, text):
    assert change(ratio, digits) == text


@pytest.mark.parametrize(
    ("joules", "line"),
    [
        ((182_520, 90_800, 421_200), "50.7 Wh (95 %: 25.2 Wh to 117 Wh)"),
        ((95_000, 40_000, 250_000), "95.0 kJ (95 %: 40.0 kJ to 250 kJ)"),
    ],
)
def test_both_ends_of_a_band_are_joules_or_watt_hours_as_its_middle_is(joules, line):
    value, low, high = joules
    total = Quantity(
        value=value, low=low, high=high, unit="J", coverage=0.95, origin=Origin.MODELLED
    )
    assert with_band(total) == line
