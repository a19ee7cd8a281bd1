"""`energy list` and `energy compare`: no run is lost or counted twice, nothing unlike is added."""

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from energy import Tracker
from energy.cli import command
from energy.errors import InputError
from energy.facts.site import site
from energy.footprint.apply import at_site
from energy.quantity import Boundary, MissingPart, Quantity
from energy.record import Kind
from energy.reports import listing
from energy.reports.comparing import Compared, Side, compared
from tests.support.records import quantity, run_record

KWH = 3.6e6


def invoke(*words):
    return CliRunner().invoke(command(), list(map(str, words)), env={"COLUMNS": "300"})


def save(folder, record, **changes):
    folder.mkdir(parents=True)
    record.model_copy(update=changes).save(folder / "record.json")


@pytest.fixture
def folder(tmp_path):
    """Five runs of two users, one of them without joules, one failed, one without a record."""
    for number, (user, project, kwh) in enumerate(
        [("ann", "demo", 1), ("ann", "other", 2), ("bob", "demo", 4), ("bob", "demo", 8)]
    ):
        record = run_record(
            f"run-{number}",
            it_j=kwh * KWH,
            relative=0.1,
            created_utc=f"2026-1{number % 2}-05T12:00:00+00:00",
            user=user,
            project=project,
        )
        failed = {"exit_code": 7} if number == 2 else {}
        save(tmp_path / f"run-{number}", record, environment=failed)
    save(tmp_path / "dark", run_record("dark", user="bob"), totals={}, energy=[])
    save(tmp_path / "guess", run_record("guess", Kind.PREDICTED))
    (tmp_path / "live").mkdir()
    (tmp_path / "live" / "ledger.jsonl").write_text(
        '{"k":"header","name":"live","utc":"2026-11-07T00:00:00+00:00","labels":{"user":"ann"}}\n'
    )
    return tmp_path


def rows(folder, *options):
    run = invoke("list", folder, "--csv", *options)
    assert run.exit_code == 0, run.stderr
    return list(csv.DictReader(io.StringIO(run.stdout)))


def test_a_run_that_raised_is_listed_so(tmp_path):
    with pytest.raises(ZeroDivisionError), Tracker(tmp_path / "runs", meters="cpu_model"):
        1 / 0  # noqa: B018
    assert [row["status"] for row in rows(tmp_path)] == ["raised"]


def names(folder, *options):
    return {row["name"] for row in rows(folder, *options)}


def test_every_measured_run_has_a_row_and_predictions_are_counted_beside(folder):
    assert names(folder) == {"run-0", "run-1", "run-2", "run-3", "dark", "live"}
    run = invoke("list", folder)
    assert "left out: 1 predictions" in run.stderr
    assert "joules of dark" in run.stderr


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--user", "ann"), {"run-0", "run-1", "live"}),
        (("--project", "demo"), {"run-0", "run-2", "run-3"}),
        (("--status", "failed"), {"run-2"}),
        (("--status", "no record"), {"live"}),
        (("--min-kwh", "3"), {"run-2", "run-3"}),
        (("--since", "2026-11-01"), {"run-1", "run-3", "live"}),
        (("--until", "2026-10-05"), {"run-0", "run-2"}),
        (("--until", "2026-10-05T11:59"), set()),
        (("--user", "bob", "--min-kwh", "5"), {"run-3"}),
    ],
)
def test_a_filter_leaves_what_it_names(folder, options, expected):
    assert names(folder, *options) == expected


def test_groups_have_sums_with_bands_and_name_what_is_missing(folder):
    groups = {row["group"]: row for row in rows(folder, "--group-by", "user")}
    assert {key: row["runs"] for key, row in groups.items()} == {"ann": "3", "bob": "3"}
    assert float(groups["ann"]["energy_j"]) == pytest.approx(3 * KWH)
    assert float(groups["bob"]["energy_j_low"]) == pytest.approx(0.9 * 12 * KWH)
    assert groups["bob"]["runs_without_energy"] == "1"
    document = json.loads(invoke("list", folder, "--group-by", "month", "--json").stdout)
    sums = {row["group"]: row["energy_j"]["value"] for row in document["sums"]}
    assert sums["2026-10"] == pytest.approx(5 * KWH)
    assert sums["2026-11"] == pytest.approx(10 * KWH)
    assert len(document["runs"]) == 6


def test_joules_of_two_boundaries_are_never_added(tmp_path):
    save(tmp_path / "it", run_record("it", it_j=KWH))
    chip = {Boundary.CHIP: quantity(2 * KWH, "J")}
    save(tmp_path / "chip", run_record("chip"), totals=chip)
    sums = {row["boundary"]: float(row["energy_j"]) for row in rows(tmp_path, "--group-by", "user")}
    assert sums == pytest.approx({"chip": 2 * KWH, "it": KWH})


def test_a_run_that_is_part_of_a_merged_one_counts_once(tmp_path):
    for rank in range(3):
        save(tmp_path / f"rank-{rank}", run_record(f"rank-{rank}", it_j=KWH))
    parts = [str(tmp_path / f"rank-{rank}") for rank in range(3)]
    job = run_record("job", it_j=3 * KWH)
    job.model_copy(update={"environment": {"merged_from": parts}}).save(tmp_path / "record.json")
    assert names(tmp_path) == {"job"}
    assert "counted once: 3 runs" in invoke("list", tmp_path).stderr


def test_a_damaged_record_is_named_and_the_others_are_listed(folder):
    (folder / "run-1" / "record.json").write_text("{")
    assert names(folder) == {"run-0", "run-2", "run-3", "dark", "live"}
    assert "run-1/record.json" in invoke("list", folder).stderr


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--since", "monday"), 2, "expected --since as a date or time; got monday"),
        (("--min-kwh", "-1"), 2, "expected --min-kwh of 0 or more"),
        (("--min-kwh", "nan"), 2, "expected --min-kwh of 0 or more"),
        (("--group-by", "host"), 2, "expected --group-by user, project or month; got host"),
    ],
)
def test_an_option_that_cannot_be_meant_is_one_line(folder, options, code, words):
    with pytest.raises(InputError, match=words) as error:
        CliRunner().invoke(command(), ["list", str(folder), *options], catch_exceptions=False)
    assert error.value.exit_code == code


@given(st.lists(st.floats(1e-3, 1e9), min_size=1, max_size=8), st.floats(0, 0.5))
def test_the_sum_of_a_group_is_that_of_its_runs_and_its_band_contains_it(joules, relative):
    runs = [
        listing.of_record(Path("run"), run_record(it_j=own, relative=relative)) for own in joules
    ]
    (group,) = listing.groups(runs, None)
    value, low, high = group.total("energy_j").numbers()
    assert value == pytest.approx(sum(joules))
    assert low <= value <= high


def test_a_comparison_divides_by_the_first_and_carries_bands(tmp_path):
    save(tmp_path / "a", run_record("a", it_j=100, tokens=10, relative=0.1))
    save(tmp_path / "b", run_record("b", it_j=300, tokens=60, relative=0.1))
    document = json.loads(invoke("compare", tmp_path / "a", tmp_path / "b", "--json").stdout)
    ratio = document["runs"][1]["energy_j_ratio"]
    assert ratio["value"] == pytest.approx(3)
    # Upwards: ln 1.1 of the second and -ln 0.9 of the first, in quadrature: exp(0.142).
    assert ratio["high"] == pytest.approx(3 * 1.153, rel=0.001)
    assert document["runs"][1]["energy_j_per_token"]["value"] == pytest.approx(5)
    assert document["runs"][1]["energy_j_per_token_ratio"]["value"] == pytest.approx(0.5)
    assert document["differences"] == []


def test_what_is_not_alike_is_named(tmp_path):
    save(tmp_path / "a", run_record("a", it_j=100))
    lost = quantity(50.0, "J").model_copy(
        update={"missing": (MissingPart(device="cpu", reason="permission"),)}
    )
    other = {Boundary.CHIP: quantity(40.0, "J"), Boundary.IT: lost}
    save(tmp_path / "b", run_record("b", pue=1.5), totals=other)
    run = invoke("compare", tmp_path / "a", tmp_path / "b")
    assert run.exit_code == 0, run.stderr
    assert "joules at the it boundary" in run.stdout
    for words in (
        "b was metered at the chip boundary, compared at it",
        "pue: 1.50 against 1.20",
        "without cpu against without nothing",
    ):
        assert f"not alike: b against a: {words}" in run.stdout


def test_runs_without_a_common_boundary_are_refused(tmp_path):
    for name, boundary in (("a", Boundary.CHIP), ("b", Boundary.NODE)):
        save(tmp_path / name, run_record(name), totals={boundary: quantity(1.0, "J")})
    with pytest.raises(InputError, match="expected runs with joules at one boundary"):
        compared([tmp_path / "a", tmp_path / "b"])


def test_a_ratio_to_nothing_is_missing():
    sides = [
        Side(name, run_record(name, it_j=own), Boundary.IT) for name, own in (("a", 0), ("b", 1))
    ]
    assert Compared(sides).rows()[1]["energy_j_ratio"] == Quantity.absent("1", "energy_j of a is 0")


def test_embodied_carbon_by_two_methods_is_no_ratio(tmp_path):
    for name, chip in (("board", "h100"), ("other", "b200"), ("tpu", "tpu-v5p")):
        record = run_record(name)
        record.labels["chip"] = chip
        at_site(record, site("FRA")).save(tmp_path / name / "record.json")
    alike = compared([tmp_path / "board", tmp_path / "other"])
    assert not [words for words in alike.differences() if "two methods" in words]
    (line,) = [
        words
        for words in compared([tmp_path / "board", tmp_path / "tpu"]).differences()
        if "two methods" in words
    ]
    assert "published against bottom-up" in line
