"""The answers of validate and calibrate: what they refuse, print, draw and write."""

import json

import pytest

from energy.errors import InputError, ToleranceError
from energy.quantity import Origin
from energy.record import Kind
from simulator.questions.calibrate.answer import FittedConstants, FittedMachine, calibrate
from simulator.questions.validate.answer import validate
from tests.simulator.fit.test_probe import probe
from tests.support.records import run_record
from tests.support.tables import published_cells, write_table


@pytest.fixture
def folder(tmp_path):
    """A prediction that is 50 % too high, and its measured run."""
    predicted = {"kind": Kind.PREDICTED, "origin": Origin.MODELLED}
    run_record("run", elapsed_s=150.0, **predicted).save(tmp_path / "predicted" / "record.json")
    run_record("run", elapsed_s=100.0).save(tmp_path / "measured" / "record.json")
    return tmp_path


@pytest.fixture
def table(tmp_path):
    return write_table(tmp_path / "rows.csv", published_cells()[:20])


def test_nothing_to_validate_is_refused():
    with pytest.raises(InputError, match="something to validate"):
        validate()


def test_an_answer_has_every_part_that_was_requested_and_a_panel_for_each(folder, table):
    answer = validate(records=[folder], throughput=[table], runs="published")
    assert {"all", "rows", "chip_hours", "runs", "agreements"} <= set(answer.as_json())
    assert repr(answer) == "<Validated: 20 rows, 45 whole runs, 1 pair of records>"
    labels = [axes.get_xlabel() for axes in answer.plot().axes]
    assert labels == [
        "reported / (tokens/s per chip)",
        "chip-hours, predicted / reported",
        "run: error / %",
    ]


def test_every_part_is_checked_against_the_tolerance(folder, table):
    for part in ({"records": [folder]}, {"throughput": [table]}, {"runs": "published"}):
        answer = validate(**part)
        answer.require_within(10.0)
        with pytest.raises(ToleranceError):
            answer.require_within(1e-6)


def test_the_answer_is_printed_before_the_exit_code_of_the_tolerance(simulator, folder):
    code, out, err = simulator("validate", "--records", folder, "--tolerance", "0.1", "--json")
    assert code == 5
    assert "run" in json.loads(out)["agreements"][0]["name"]
    assert "within 10%" in err


def test_a_probe_gives_a_machine_and_a_table_gives_constants(tmp_path, table):
    (tmp_path / "probe.json").write_text(json.dumps(probe()))
    machine = calibrate(tmp_path / "probe.json", out=tmp_path / "machine.toml")
    constants = calibrate(table)
    assert isinstance(machine, FittedMachine)
    assert machine.path.exists()
    assert isinstance(constants, FittedConstants)
    assert constants.path is None
    for answer in (machine, constants):
        (axes,) = answer.plot().axes
        assert axes.get_xlabel() == "constant / prior"
        assert len(axes.get_yticks()) == len(answer.values)
        assert "prior" in answer.text()
