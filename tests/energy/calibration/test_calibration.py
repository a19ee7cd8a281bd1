"""One line per device class corrects a meter, with an error known from runs left out."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from energy import Tracker, cli
from energy.calibration.apply import (
    Calibration,
    Line,
    default_path,
    meters_of,
    wall_entries,
)
from energy.calibration.fit import Run, calibrate, cross_validate, fit_line
from energy.errors import InputError
from energy.ledger.verify import verify
from energy.quantity import Boundary, Origin
from energy.record import EnergyEntry, RunRecord
from energy.reports import summary


def runs(device="gpu", gain=1.14, offset_w=43.0, noise=0.0, models=8, each=3):
    """Runs of several models whose joules at the wall lie on a line, with some noise."""
    generator = np.random.default_rng(0)
    table = []
    for index in range(models * each):
        seconds = float(generator.uniform(60, 300))
        tool_j = float(generator.uniform(50, 450)) * seconds
        wall_j = (gain * tool_j + offset_w * seconds) * (1 + noise * generator.standard_normal())
        table.append(Run(device, f"model-{index % models}", seconds, tool_j, float(wall_j)))
    return table


def test_gain_and_offset_are_recovered():
    assert fit_line(runs()) == pytest.approx((1.14, 43.0))


def test_a_model_is_scored_by_a_line_that_was_not_fitted_to_it():
    """A model with doubled joules at the wall is predicted at half of them."""
    clean = runs()
    wrong = [Run(r.device, "odd", r.duration_s, r.tool_j, 2 * r.wall_j) for r in clean[:1]]
    errors = cross_validate([*clean, *wrong])
    assert errors[-1] == pytest.approx(-0.5)


def test_the_stored_error_covers_nine_of_ten_runs():
    own = runs(noise=0.05, models=20)
    calibration, _ = calibrate(own, "test")
    line = calibration.lines["gpu"]
    errors = [abs(line.wall_j(r.tool_j, r.duration_s) / r.wall_j - 1) for r in own]
    assert np.mean(np.array(errors) <= line.relative_error) >= 0.85


def write(path, table):
    lines = ["workload,device,hardware,model,duration_s,codecarbon_j,wall_j"]
    lines += [f"x,{r.device},y,{r.model},{r.duration_s},{r.tool_j},{r.wall_j}" for r in table]
    path.write_text("\n".join(lines))
    return str(path)


def test_the_command_stores_the_line_and_prints_both_scores(tmp_path):
    both = [*runs(noise=0.02), *runs("cpu", 1.25, 45.0, noise=0.02)]
    wall, out = write(tmp_path / "wall.csv", both), tmp_path / "calibration.json"
    command = ["calibrate", wall, "--test", wall, "--out", str(out), "--json"]
    scores = json.loads(CliRunner().invoke(cli.command(), command).stdout)
    for part in ("cv", "test"):
        assert set(scores[part]) == {"all", "gpu", "cpu"}
        assert scores[part]["all"]["n"] == len(both)
        error = scores[part]["gpu"]["mean_abs_rel_error"]
        assert error["after"] < 0.05 < error["before"]
    assert set(Calibration.load(out).lines) == {"gpu", "cpu"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "columns"),
        ("device,model,duration_s,codecarbon_j,wall_j\n", "empty table"),
        ("device,model,duration_s,codecarbon_j,wall_j\ngpu,a,10,5,-1\n", "line 2"),
        ("device,model,duration_s,codecarbon_j,wall_j\ngpu,a,10,5,nan\n", "wall_j"),
        ("device,model,duration_s,codecarbon_j\n", "wall_j"),
        ("record,wall_j\nnowhere,10\n", "nowhere"),
        ("record,joules\n", "wall_j"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_the_reason(tmp_path, text, message):
    (tmp_path / "wall.csv").write_text(text)
    run = CliRunner().invoke(cli.command(), ["calibrate", str(tmp_path / "wall.csv")])
    assert isinstance(run.exception, InputError)
    assert message in str(run.exception)


def metered(folder):
    with Tracker(folder, interval_s=0.05, meters=["cpu_model"]) as tracker:
        time.sleep(0.2)
    return tracker.record()


def at_the_wall(record):
    """The joules at the wall; without a calibration the site's overheads alone reach there."""
    return [entry for entry in record.energy if entry.boundary is Boundary.NODE]


def metered_line(folder, **changes):
    """A line for the meters of this machine, as a calibration on its own records would have."""
    fields = {"gain": 1.25, "offset_w": 45.0, "relative_error": 0.18, "runs": 104, "tool": "energy"}
    meters = meters_of(metered(folder).energy)
    return Line(**{**fields, "meters": meters, **changes})


def test_later_records_have_joules_at_the_wall_with_the_stored_error_as_band(tmp_path):
    assert not at_the_wall(metered(tmp_path / "before"))
    Calibration({"ours": metered_line(tmp_path / "line")}, "wall.csv").save(default_path())
    record = metered(tmp_path / "after")
    wall, chip = record.totals[Boundary.NODE], record.totals[Boundary.CHIP]
    assert wall.value == pytest.approx(1.25 * chip.value + 45.0 * record.elapsed_s.value)
    assert (wall.low, wall.high) == pytest.approx((wall.value * 0.82, wall.value * 1.18))
    assert Origin.MEASURED not in wall.shares
    (entry,) = at_the_wall(record)
    assert str(default_path()) in entry.source
    assert any("at the wall" in line and "modelled" in line for line in summary.lines(record))


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"tool": "codecarbon"}, "joules of codecarbon"),
        ({"tool": ""}, "joules of another tool"),
        ({"meters": ("NVML counter (another board)",)}, "another board"),
    ],
)
def test_a_line_of_another_tool_or_of_other_boards_is_never_applied(tmp_path, changes, note):
    Calibration({"x": metered_line(tmp_path / "a", **changes)}, "w.csv").save(default_path())
    record = metered(tmp_path / "b")
    assert not at_the_wall(record)
    assert any("calibration left out" in text and note in text for text in record.notes)


def test_outside_the_watts_it_was_fitted_to_a_line_has_the_band_of_the_joules_too(tmp_path):
    far = metered_line(tmp_path / "a", seen_w=(1e4, 2e4))
    Calibration({"ours": far}, "wall.csv").save(default_path())
    record = metered(tmp_path / "b")
    wall, chip = record.totals[Boundary.NODE], record.totals[Boundary.CHIP]
    own = chip.high / chip.value - 1
    assert wall.high / wall.value - 1 == pytest.approx(np.hypot(0.18, own))
    assert any("outside" in note for note in record.notes)


def test_a_run_that_was_not_read_throughout_has_no_joules_at_the_wall(tmp_path):
    def entry(device, value, seconds=None):
        return EnergyEntry(
            device=device,
            boundary=Boundary.CHIP,
            api=device,
            value=value,
            origin=Origin.MISSING if value is None else Origin.MEASURED,
            source="x",
            seconds=seconds,
        )

    line = Line(1.2, 30.0, 0.05, 9, tool="energy", meters=("cpu", "gpu"))
    Calibration({"ours": line}, "wall.csv").save(default_path())
    whole = [entry("gpu", 1000.0), entry("cpu", 500.0), entry("dram", None, 10.0)]
    assert len(wall_entries(whole, 10.0)[0]) == 1  # dram was missing when it was calibrated, too
    entries, (note,) = wall_entries([*whole, entry("gpu", None, 4.0)], 10.0)
    assert not entries
    assert "4 s of this run were not read" in note


def test_our_own_records_are_calibrated_and_the_line_fits_later_records(tmp_path):
    """The whole way: meter, write the wall meter's joules beside each run, keep, meter again."""
    rows = ["record,model,wall_j"]
    for index in range(6):
        record = metered(tmp_path / f"run-{index}")
        record.save(tmp_path / f"run-{index}")
        seconds, seen_j = record.elapsed_s.value, record.totals[Boundary.CHIP].value
        rows.append(f"run-{index},model-{index % 3},{1.2 * seen_j + 30 * seconds}")
    (tmp_path / "wall.csv").write_text("\n".join(rows))
    command = ["calibrate", str(tmp_path / "wall.csv")]
    assert "not kept" in CliRunner().invoke(cli.command(), command).stdout
    assert not default_path().exists()
    kept = CliRunner().invoke(cli.command(), [*command, "--save"])
    assert kept.exit_code == 0, kept.output
    record = metered(tmp_path / "later")
    expected = 1.2 * record.totals[Boundary.CHIP].value + 30 * record.elapsed_s.value
    assert record.totals[Boundary.NODE].value == pytest.approx(expected, rel=0.02)


def test_joules_of_another_tool_are_never_kept_for_our_records(tmp_path):
    wall = write(tmp_path / "wall.csv", runs(noise=0.02))
    run = CliRunner().invoke(cli.command(), ["calibrate", wall, "--save"])
    assert isinstance(run.exception, InputError)
    assert not default_path().exists()


def test_energy_run_uses_the_calibration_and_still_verifies_without_it(tmp_path):
    Calibration({"ours": metered_line(tmp_path / "line")}, "wall.csv").save(default_path())
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "from energy.cli import main; main()",
            "run",
            "--out",
            str(tmp_path / "r"),
            "--interval",
            "0.1",
            "--meter",
            "cpu_model",
            "--",
            "sleep",
            "0.3",
        ],
        capture_output=True,
        text=True,
    )
    assert "at the wall" in run.stderr, run.stderr
    assert RunRecord.load(tmp_path / "r").totals[Boundary.NODE].value > 45 * 0.3
    default_path().unlink()
    assert all(finding.passed for finding in verify(tmp_path / "r" / "ledger.jsonl"))


@pytest.mark.parametrize(
    ("text", "message"),
    [("{}", "calibration left out"), ('{"source": "w", "host": "other", "lines": {}}', "other")],
)
def test_a_calibration_that_is_broken_or_of_another_machine_is_left_out_with_a_note(
    tmp_path, text, message
):
    default_path().parent.mkdir(parents=True)
    default_path().write_text(text)
    record = metered(tmp_path)
    assert not at_the_wall(record)
    assert any(message in note for note in record.notes)
