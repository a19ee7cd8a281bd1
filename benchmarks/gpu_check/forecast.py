"""The whole story on this board: probe, calibrate, predict, train, and compare the two.

As `scripts/demo` does: a small mixture and its dense twin, predicted before they are trained.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.gpu_check.load import require_cuda
from benchmarks.gpu_check.stages import Report, Settings
from benchmarks.process import run_process
from energy.files import write_text_atomic

MODELS = ("glam-mini-16e", "glam-mini")
COMPARED = ("step time", "elapsed time", "mean power", "chip energy")
"""Rows that a meter or a clock can judge."""

STEPS = {False: 240, True: 3}
"""Steps of each training; few in a rehearsal."""


def compare(settings: Settings, report: Report) -> None:
    """Predict two models from a probe of this machine, train them, and report both sides."""
    if settings.device == "cuda":
        require_cuda()
    from glam.probing.probe import ROUNDS
    from glam.probing.probe import probe as probe_machine

    out, device = Path(settings.out) / "forecast", ["--device", settings.device]
    steps, meter = ["--steps", str(STEPS[settings.short])], ["--meter", "nvml"]
    probe, machine = out / "probe.json", str(out / "machine.toml")
    report("glam probe")
    table = probe_machine(settings.device, meters=["nvml"], rounds=1 if settings.short else ROUNDS)
    write_text_atomic(probe, json.dumps(table))
    report("simulator calibrate")
    _run("simulator", "calibrate", str(probe), "--out", machine)
    report(machine=Path(machine).read_text())
    models = MODELS[:1] if settings.short else MODELS
    for model in models:
        report(f"simulator predict {model}")
        predicted = ["--hardware", machine, *steps, "--out", str(out / f"{model}-predicted")]
        _run("simulator", "predict", model, *predicted)
    for model in models:
        report(f"glam train {model}")
        options = ["--machine", machine, *steps, *device, *meter, "--out", str(out / model)]
        _run("glam", "train", "--model", model, *options)
    answer = json.loads(_run("simulator", "validate", "--records", str(out), "--json"))
    report(
        compared=[
            {**run, "rows": [row for row in run["rows"] if row["name"] in COMPARED]}
            for run in answer["agreements"]
        ]
    )


def _run(package: str, *arguments: str) -> str:
    return run_process([sys.executable, "-m", package, *arguments]).stdout
