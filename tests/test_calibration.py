"""A line a device class repairs a meter, and says how well on runs it has not seen."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from energy.calibration import Calibration, Run, calibrate, fit, left_out
from energy.cli import app
from energy.errors import InputError


def runs(device="gpu", gain=1.14, offset_w=43.0, noise=0.0, models=8, each=3):
    random = np.random.default_rng(0)
    found = []
    for index in range(models * each):
        seconds = float(random.uniform(60, 300))
        tool_j = float(random.uniform(50, 450)) * seconds
        wall_j = (gain * tool_j + offset_w * seconds) * (1 + noise * random.standard_normal())
        found.append(Run(device, f"model-{index % models}", seconds, tool_j, float(wall_j)))
    return found


def test_gain_and_offset_are_found_again():
    assert fit(runs()) == pytest.approx((1.14, 43.0))


def test_a_model_is_judged_by_a_line_that_never_saw_it():
    """One model that is told wrongly spoils its own error and not the others'."""
    clean = runs()
    wrong = [Run(r.device, "odd", r.duration_s, r.tool_j, 2 * r.wall_j) for r in clean[:1]]
    errors = left_out([*clean, *wrong])
    assert errors[-1] == pytest.approx(-0.5)


def test_the_kept_error_holds_nine_of_ten_runs():
    own = runs(noise=0.05, models=20)
    found, _ = calibrate(own, "test")
    line = found.lines["gpu"]
    fresh = [abs(line.wall_j(r.tool_j, r.duration_s) / r.wall_j - 1) for r in own]
    assert np.mean(np.array(fresh) <= line.relative_error) >= 0.85


def write(path, table):
    lines = ["workload,device,hardware,model,duration_s,codecarbon_j,wall_j"]
    lines += [f"x,{r.device},y,{r.model},{r.duration_s},{r.tool_j},{r.wall_j}" for r in table]
    path.write_text("\n".join(lines))
    return str(path)


def test_the_command_keeps_the_line_and_prints_both_scores(tmp_path):
    both = [*runs(noise=0.02), *runs("cpu", 1.25, 45.0, noise=0.02)]
    wall, kept = write(tmp_path / "wall.csv", both), tmp_path / "kept.json"
    done = CliRunner().invoke(
        app, ["calibrate", wall, "--test", wall, "--out", str(kept), "--json"]
    )
    told = json.loads(done.stdout)
    for part in ("cv", "test"):
        assert set(told[part]) == {"all", "gpu", "cpu"}
        assert told[part]["all"]["n"] == len(both)
        error = told[part]["gpu"]["mean_abs_rel_error"]
        assert error["after"] < 0.05 < error["before"]
    assert set(Calibration.load(kept).lines) == {"gpu", "cpu"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "columns"),
        ("device,model,duration_s,codecarbon_j,wall_j\n", "empty table"),
        ("device,model,duration_s,codecarbon_j,wall_j\ngpu,a,10,5,-1\n", "line 2"),
        ("device,model,duration_s,codecarbon_j\n", "wall_j"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_in_words(tmp_path, text, words):
    (tmp_path / "wall.csv").write_text(text)
    done = CliRunner().invoke(app, ["calibrate", str(tmp_path / "wall.csv")])
    assert isinstance(done.exception, InputError)
    assert words in str(done.exception)
