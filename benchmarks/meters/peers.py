"""The peers on the same stand-in: CodeCarbon, Zeus, perun, carbontracker, and this project.

Each is installed in a virtual environment of its own and run as a subprocess under one square wave
of known mean power; what it says about the GPU is held against the exact integral.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PERIODS = 5
"""Whole periods, so that the mean of the wave is the truth whenever a tool begins."""
MEAN_W = 250.0

CODE = {
    "this project": """
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
}
PERUN = """
import time

if __name__ == "__main__":
    time.sleep(SECONDS)
"""


def compare(library: Path) -> list[dict[str, str]]:
    """Rows: tool, case, and its watts against the truth, or what it said instead."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        python = _installed(Path(folder) / "venv")
        for case, wave in CASES.items():
            for tool in (*CODE, "perun"):
                rows.append({"tool": tool, "case": case, "told": _run(tool, python, library, wave)})
    return rows


CASES = {
    "1.00 s square, 250 W": {"PERIOD_S": "1.0"},
    "0.93 s square, 250 W": {"PERIOD_S": "0.93"},
    "constant 250 W": {"LOW_W": "250", "HIGH_W": "250"},
    "no energy counter": {"PERIOD_S": "1.0", "NO_COUNTER": "1"},
}


def _installed(place: Path) -> Path:
    """A throw-away environment with the peers; ours stays as it is."""
    ready = os.environ.get("PEERS_PYTHON")
    if ready:
        return Path(ready)
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "codecarbon", "zeus", "perun", "carbontracker"],
        check=True,
    )
    return python


def _run(tool: str, python: Path, library: Path, wave: dict[str, str]) -> str:
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library.parent)}
    environment |= {f"STANDIN_{name}": value for name, value in wave.items()}
    with tempfile.TemporaryDirectory() as folder:
        head = f"FOLDER, SECONDS = {folder!r}, {PERIODS * float(wave.get('PERIOD_S', 1.0))}\n"
        script = Path(folder) / "run.py"
        if tool == "perun":
            script.write_text(head + PERUN)
            command = [
                str(python.with_name("perun")),
                "monitor",
                "--format",
                "text",
                "--data_out",
                folder,
                str(script),
            ]
        else:
            script.write_text(head + CODE[tool])
            command = [sys.executable if tool == "this project" else str(python), str(script)]
        if tool == "this project":
            environment["PYTHONPATH"] = str(ROOT)
        try:
            run = subprocess.run(
                command,
                env=environment,
                capture_output=True,
                text=True,
                timeout=90,
                cwd=folder,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "no answer in 90 s"
        said = run.stdout + "".join(
            file.read_text(errors="ignore") for file in Path(folder).rglob("*.txt")
        )
    if tool == "perun":
        table = [
            [cell.strip() for cell in line.split("|")]
            for line in said.splitlines()
            if line.startswith("|")
        ]
        if not table or "GPU_POWER" not in table[0]:
            return _why(run)
        return _told(float(table[2][table[0].index("GPU_POWER")].split()[0]))
    answer = re.search(r"ANSWER (\S+) (\S+)", said)
    if answer is None or answer[1] == "None":
        return _why(run)
    return _told(float(answer[1]) / float(answer[2]))


def _told(watts: float) -> str:
    return f"{watts:.1f} W ({100 * (watts / MEAN_W - 1):+.1f} %)"


def _why(run: subprocess.CompletedProcess[str]) -> str:
    """The last line that a tool said when it gave no number."""
    lines = (run.stderr.strip() or run.stdout.strip() or "nothing").splitlines()
    return f"no number (exit {run.returncode}): {lines[-1][:90]}"
