"""`%%energy` meters a cell, prints joules with origin and band, and leaves the record."""

from __future__ import annotations

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from energy import RunRecord
from energy.notebook import spent
from tests.support.records import run_record


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.chdir(tmp_path)
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "energy")
    yield shell
    shell.history_manager.end_session()


def test_a_cell_is_metered_and_keeps_its_value_its_names_and_its_record(shell, capsys, tmp_path):
    cell = "total = sum(range(10))\n%pwd\ntotal + 1\n"
    assert shell.run_cell_magic("energy", "first --zone FIN --out mine", cell) == 46
    record = shell.user_ns["first"]
    assert shell.user_ns["total"] == 45
    assert isinstance(record, RunRecord)
    assert record == RunRecord.load(tmp_path / "mine")
    assert [window.name for window in record.windows] == ["cell"]
    assert record.co2_location_g.value > 0
    line = capsys.readouterr().out
    assert line == spent(record) + "\n"
    assert line.startswith("first: ")


def test_a_cell_that_fails_raises_its_own_error_and_leaves_a_record_that_says_so(shell):
    with pytest.raises(ZeroDivisionError):
        shell.run_cell_magic("energy", "", "before = 1\n1 / 0\n")
    assert shell.user_ns["before"] == 1
    assert "ended with ZeroDivisionError" in " ".join(shell.user_ns["record"].notes)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("3x", "expected the name of a variable; got 3x"),
        ("--zne FIN", "unrecognized arguments: --zne"),
        ("--zone NOPE", "expected a grid zone of the catalog; got NOPE"),
        ("--interval 0", "expected interval_s above 0"),
        ("'open", "No closing quotation"),
    ],
)
def test_a_line_that_is_not_valid_is_refused_before_the_cell_runs(shell, line, message):
    with pytest.raises(UsageError, match=message):
        shell.run_cell_magic("energy", line, "ran = True\n")
    assert "ran" not in shell.user_ns


def test_a_line_has_kilowatt_hours_joules_band_origin_boundary_and_time():
    record = run_record("mine", it_j=3.6e6, relative=0.1)
    line = spent(record)
    assert line.startswith("mine: ")
    for word in ("kWh", "80 %", "measured", " at the ", ", in "):
        assert word in line
