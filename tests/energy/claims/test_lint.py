"""`energy lint` on records and tables: what it prints, its exit codes, bad input."""

import json

import pytest
from typer.testing import CliRunner

from energy.cli import command
from energy.errors import InputError
from tests.support import ROOT
from tests.support.records import run_record

HEADER = "run_id,chip,chip_hours,energy_mwh,energy_boundary,carbon_tco2e\n"
RIGHT = HEADER + "right,h100,1000,0.7,facility,0.3\n"
WRONG = HEADER + "wrong,h100,1000,700,facility,300\n"
UNUSUAL = HEADER + "odd,h100,1000000,,,3\n"


def lint(*words):
    return CliRunner().invoke(command(), ["lint", *map(str, words)])


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "runs.csv"
        path.write_text(text)
        return path

    return write


def test_a_right_table_passes_and_a_wrong_row_is_named(table):
    right = lint(table(RIGHT))
    assert (right.exit_code, right.stdout) == (0, "")
    assert right.stderr == "1 claim, 0 errors, 0 warnings\n"
    wrong = lint(table(WRONG))
    assert wrong.exit_code == 5
    assert wrong.stdout.startswith("runs.csv wrong: error: 700 MWh in 1,000 chip-hours are")
    assert "[watts-per-chip]" in wrong.stdout


def test_a_warning_counts_with_strict_only(table):
    path = table(UNUSUAL)
    assert lint(path).exit_code == 0
    assert lint(path, "--strict").exit_code == 5


def test_json_has_every_finding_with_its_rule(table):
    answer = json.loads(lint(table(WRONG), "--json").stdout)
    assert answer["claims"] == 1
    assert answer["errors"] == len(answer["findings"]) > 0
    assert {"severity", "rule", "where", "message"} == set(answer["findings"][0])


def test_a_record_is_checked_as_a_file_and_as_a_folder(tmp_path):
    record = run_record(flop=6e8, it_j=100.0)
    wrong = record.model_copy(update={"co2_location_g": record.co2_location_g.scaled(1000)})
    record.save(tmp_path / "record.json")
    assert lint(tmp_path).exit_code == 0
    wrong.save(tmp_path / "record.json")
    noticed = lint(tmp_path / "record.json")
    assert noticed.exit_code == 5
    assert "a thousand times too many" in noticed.stdout


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("nowhere.csv", None, "no such file"),
        ("nowhere.txt", None, "no such file"),
        ("other.csv", "a,b\n1,2\n", "columns a, b"),
        ("empty.csv", HEADER, "no rows"),
        ("other.txt", "x", "a file that can be checked"),
        ("README.md", "# A page", "figures of a run in README.md"),
        ("record.json", "{", "not JSON"),
        ("empty.csv", "", "an empty file"),
        ("bom.json", '{"bomFormat": "CycloneDX"}', "figures of a run in .*bom.json"),
        ("record.json", "{}", "RunRecord"),
    ],
)
def test_bad_input_is_named(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        CliRunner().invoke(command(), ["lint", str(tmp_path / name)], catch_exceptions=False)


def test_the_published_rows_break_the_rules_that_the_page_lists(table):
    page = (ROOT / "docs/lint.md").read_text()
    for name in ("runs.csv", "runs_2026.csv"):
        answer = json.loads(lint(ROOT / "simulator/published" / name, "--json").stdout)
        for finding in answer["findings"]:
            row = finding["where"].removeprefix(f"{name} ")
            assert f"| {row} | {finding['severity']} | `{finding['rule']}` |" in page
