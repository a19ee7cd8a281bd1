"""Predicted and measured steps of 1, 2 and 4 processes that share this machine.

    python -m benchmarks.distributed.predicted [--machine FILE] [--write docs/results-cluster.md]

The machine is probed with as many processes and calibrated, as a user would, and every step is
predicted before any is timed. Then the processes are launched in turns, one thread each, and the
median of all turns counts. Exit code 5 if an error exceeds 20 %.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.distributed.launch import command, environment
from benchmarks.distributed.layouts import layouts, plan_of
from benchmarks.distributed.steps import models
from benchmarks.pages import markdown_table, print_table, write_between
from benchmarks.process import run_process
from benchmarks.simulator.local import Model, scenario_of
from energy.console import print_json
from energy.errors import ToleranceError
from energy.guard import guard
from glam.distributed.degrees import Parallelism
from simulator.runs.predict import predict

MARK = "predicted steps: benchmarks.distributed.predicted"

RANKS = (1, 2, 4)

TOLERANCE = 0.20

HEADS = ("processes", "model", "layout", "predicted, s", "measured, s", "quartiles, s", "error")


@dataclass(frozen=True)
class Row:
    """A predicted step, and the seconds of those that were timed."""

    ranks: int
    model: str
    layout: str
    predicted_s: float
    seconds: Sequence[float]

    @property
    def measured_s(self) -> float:
        """Median of the timed steps."""
        return statistics.median(self.seconds)

    @property
    def error(self) -> float:
        """Relative error of the prediction."""
        return self.predicted_s / self.measured_s - 1

    def cells(self) -> list[str]:
        """The row of the table."""
        low, _, high = statistics.quantiles(self.seconds, n=4)
        times = (f"{self.predicted_s:.3f}", f"{self.measured_s:.3f}", f"{low:.3f} to {high:.3f}")
        return [str(self.ranks), self.model, self.layout, *times, f"{self.error:+.0%}"]

    def as_json(self) -> dict[str, Any]:
        """The row with its error."""
        return vars(self) | {"measured_s": self.measured_s, "error": self.error}


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--machine", type=Path, help="of simulator calibrate; else it is probed")
    parser.add_argument("--turns", type=int, default=3, help="launches of each number of processes")
    parser.add_argument("--steps", type=int, default=3, help="of each launch and layout")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", type=Path, help="page to write the table into")
    options = parser.parse_args()
    guard(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Predict, time and compare.

    Raises:
        ToleranceError: a prediction is off by more than 20 %.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        machine = options.machine or probed(folder)
        predictions = {
            (ranks, model.name, layout): predicted_s(model, ranks, parallelism, machine)
            for ranks in RANKS
            for model in models()
            for layout, parallelism in layouts(ranks, mixture=model.experts > 1).items()
        }
        measured = timed(folder, options.turns, options.steps)
    rows = [Row(*key, value, measured[key]) for key, value in predictions.items()]
    worst = max(rows, key=lambda row: abs(row.error))
    if options.json:
        print_json({"rows": [row.as_json() for row in rows], "worst_error": worst.error})
    else:
        print_table(HEADS, [row.cells() for row in rows])
    if options.write:
        write_between(options.write, MARK, markdown_table(HEADS, [row.cells() for row in rows]))
    if abs(worst.error) > TOLERANCE:
        raise ToleranceError(
            f"expected every step within {TOLERANCE:.0%}",
            f"{worst.error:+.0%} of {worst.model}, {worst.layout} on {worst.ranks}",
        )


def probed(folder: Path) -> Path:
    """Probe and calibrate this machine with one thread a process; return the machine file."""
    probe, machine = folder / "probe.json", folder / "machine.toml"
    options = ["--processes", str(max(RANKS)), "--device", "cpu", "--precision", "float32"]
    run_process(["glam", "probe", "--out", str(probe), *options], environment=environment(folder))
    run_process(["simulator", "calibrate", str(probe), "--out", str(machine)])
    return machine


def predicted_s(model: Model, ranks: int, parallelism: Parallelism, machine: Path) -> float:
    """Return the predicted seconds of a step."""
    scenario = scenario_of(model, machine, steps=1)
    hardware = scenario.hardware.model_copy(update={"count": ranks})
    plan = plan_of(parallelism, model.batch // ranks)
    spread = scenario.model_copy(update={"hardware": hardware, "plan": plan})
    return predict(spread).record.metrics["step_time_s"].numbers()[0]


def timed(folder: Path, turns: int, steps: int) -> dict[tuple[int, str, str], list[float]]:
    """Return the seconds of all steps, of launches in turns."""
    seconds: dict[tuple[int, str, str], list[float]] = defaultdict(list)
    for _ in range(turns):
        for ranks in RANKS:
            launched = [*command(ranks, "benchmarks.distributed.steps"), "--steps", str(steps)]
            run = subprocess.run(
                launched, capture_output=True, text=True, cwd=folder, env=environment(folder)
            )
            lines = [line for line in run.stdout.splitlines() if line.startswith("{")]
            if run.returncode or not lines:
                raise ToleranceError("expected steps that end", run.stderr[-500:])
            for name, values in json.loads(lines[0]).items():
                model, layout = name.split(": ")
                seconds[ranks, model, layout] += values
    return seconds


if __name__ == "__main__":
    main()
