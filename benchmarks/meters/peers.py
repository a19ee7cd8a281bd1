"""Other tools on the same stand-in: CodeCarbon, Zeus, perun and carbontracker beside this project.

They are installed in a virtual environment of their own. Each runs as a subprocess under a square
wave of known mean power, and the power that it reports for the GPU is compared with that mean.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.meters.standin import environment

PERIODS = 5
"""Whole periods, so that the mean of the wave is the truth whenever a tool begins."""
MEAN_W = 250.0
TIMEOUT_S = 90
OURS, PERUN = "this project", "perun"

CODE = {
    OURS: """
import time
from energy import Tracker
with Tracker(FOLDER, meters=["nvml"]) as t:
    with t.window("work"): time.sleep(SECONDS)
(w,) = t.record().windows
print("ANSWER", w.energy_j.value, w.elapsed_s.value)
""",
    "codecarbon": """
import time
from codecarbon import OfflineEmissionsTracker
t = OfflineEmissionsTracker(country_iso_code="USA", measure_power_secs=1, save_to_file=False,
                            log_level="critical", allow_multiple_runs=True)
t.start(); a = time.monotonic(); time.sleep(SECONDS); t.stop()
print("ANSWER", t.final_emissions_data.gpu_energy * 3.6e6, time.monotonic() - a)
""",
    "zeus": """
import time
from zeus.monitor import ZeusMonitor
m = ZeusMonitor(gpu_indices=[0])
m.begin_window("w", sync_execution=False); time.sleep(SECONDS)
r = m.end_window("w", sync_execution=False)
print("ANSWER", r.gpu_energy[0], r.time)
""",
    "carbontracker": """
import time, glob, re
from carbontracker.tracker import CarbonTracker
t = CarbonTracker(epochs=1, monitor_epochs=1, log_dir=FOLDER, verbose=0, components="gpu",
                  update_interval=1, api_keys=None)
t.epoch_start(); a = time.monotonic(); time.sleep(SECONDS); t.epoch_end(); t.stop()
text = "".join(open(f).read() for f in glob.glob(FOLDER + "/*.log"))
watts = re.findall(r"Average power usage \\(W\\) for gpu: \\[?([0-9.]+)", text)
print("ANSWER", float(watts[0]) * SECONDS if watts else None, SECONDS)
""",
    PERUN: """
import time

if __name__ == "__main__":
    time.sleep(SECONDS)
""",
}
"""What each tool runs; FOLDER and SECONDS are set above it. Perun monitors from outside."""

CASES = {
    "1.00 s square, 250 W": {"PERIOD_S": "1.0"},
    "0.93 s square, 250 W": {"PERIOD_S": "0.93"},
    "constant 250 W": {"LOW_W": "250", "HIGH_W": "250"},
    "no energy counter": {"PERIOD_S": "1.0", "NO_COUNTER": "1"},
}
"""Settings of the stand-in."""


@dataclass(frozen=True)
class Reading:
    """What one tool reported in one case.

    Attributes:
        tool: its name.
        case: key of CASES.
        result: its mean power and the error, or why there is no number.
    """

    tool: str
    case: str
    result: str


def compare(library: Path) -> list[Reading]:
    """Run every tool in every case.

    Args:
        library: the compiled stand-in.
    """
    with tempfile.TemporaryDirectory() as folder:
        python = peers_python(Path(folder))
        return [
            Reading(tool, case, _measure(tool, python, library, settings))
            for case, settings in CASES.items()
            for tool in CODE
        ]


def peers_python(folder: Path) -> Path:
    """Install the peers in an environment below a folder and return its interpreter.

    PEERS_PYTHON names the interpreter of an environment that has them already.
    """
    ready = os.environ.get("PEERS_PYTHON")
    if ready:
        return Path(ready)
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "codecarbon", "zeus", "perun", "carbontracker"],
        check=True,
    )
    return python


def environment_of(
    tool: str, library: Path, settings: Mapping[str, str], **more: str
) -> dict[str, str]:
    """The environment of a tool that reads the stand-in; other tools see no code of this project.

    Args:
        tool: its name.
        library: the compiled stand-in.
        settings: of the stand-in.
        more: other variables.
    """
    variables = environment(library, settings, **more)
    if tool != OURS:
        del variables["PYTHONPATH"]
    return variables


def _measure(tool: str, python: Path, library: Path, settings: Mapping[str, str]) -> str:
    """Run one tool, and return the power that it reports or why it reports none."""
    seconds = PERIODS * float(settings.get("PERIOD_S", 1.0))
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "run.py"
        script.write_text(f"FOLDER, SECONDS = {folder!r}, {seconds}\n{CODE[tool]}")
        try:
            finished = subprocess.run(
                _command(tool, python, script),
                env=environment_of(tool, library, settings),
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                cwd=folder,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"no answer in {TIMEOUT_S} s"
        text = finished.stdout + "".join(
            file.read_text(errors="ignore") for file in Path(folder).rglob("*.txt")
        )
    watts = _watts_of_perun(text) if tool == PERUN else _watts(text)
    if watts is None:
        lines = (finished.stderr.strip() or finished.stdout.strip() or "nothing").splitlines()
        return f"no number (exit {finished.returncode}): {lines[-1][:90]}"
    return f"{watts:.1f} W ({100 * (watts / MEAN_W - 1):+.1f} %)"


def _command(tool: str, python: Path, script: Path) -> list[str]:
    if tool == OURS:
        return [sys.executable, str(script)]
    if tool == PERUN:
        options = ["--format", "text", "--data_out", str(script.parent)]
        return [str(python.with_name("perun")), "monitor", *options, str(script)]
    return [str(python), str(script)]


def _watts(text: str) -> float | None:
    """Mean power from the line "ANSWER joules seconds"."""
    answer = re.search(r"ANSWER (\S+) (\S+)", text)
    if answer is None or answer[1] == "None":
        return None
    return float(answer[1]) / float(answer[2])


def _watts_of_perun(text: str) -> float | None:
    """Mean power of the GPU from the table of perun's report."""
    rows = [
        [cell.strip() for cell in line.split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    if not rows or "GPU_POWER" not in rows[0]:
        return None
    return float(rows[2][rows[0].index("GPU_POWER")].split()[0])
