"""What metering costs, beside Zeus and CodeCarbon in one run: import, a window, the sampler.

Each tool meters 8 boards of the stand-in in a process of its own. The processes of a round follow
each other, so that a machine whose speed drifts slows all of them, and the ratios are medians over
the rounds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.checkouts import median_ratio
from benchmarks.gate import Gate
from benchmarks.meters.peers import OURS, environment_of, peers_python
from energy.errors import AccountingError

ROUNDS = 5
BOARDS = "8"
ZEUS, CODECARBON = "zeus", "codecarbon"
SAMPLER_S = 30.0
"""How long the sampler is watched."""

MOST_SHARE = 0.005
"""Share of a core: no more than before version 2 of the ledger, 0.3 to 0.5 %."""

MOST_OVER = {
    "window begin and end over Zeus's": 1 / 3,
    "window begin and end over CodeCarbon's": 1 / 14,
    "import over Zeus's": 1 / 31,
}
"""Ratios: no more than before version 2 of the ledger."""

PROGRAM = """
import json, sys, time
start = time.perf_counter()
{import_line}
import_s = time.perf_counter() - start
{open_lines}
windows_s = []
for _ in range({count}):
    time.sleep(0.002)
    start = time.perf_counter()
    {window}
    windows_s.append(time.perf_counter() - start)
{close}
print("ANSWER", json.dumps([import_s, sorted(windows_s)[len(windows_s) // 2]]))
"""

CODE: Mapping[str, str] = {
    OURS: PROGRAM.format(
        import_line="from energy import Tracker",
        open_lines='tracker = Tracker("out", meters=["nvml"]); tracker.open(); time.sleep(0.5)',
        count=300,
        window='with tracker.window("step"): pass',
        close="tracker.close()",
    ),
    ZEUS: PROGRAM.format(
        import_line="from zeus.monitor import ZeusMonitor",
        open_lines="monitor = ZeusMonitor()",
        count=300,
        window=(
            'monitor.begin_window("w", sync_execution=False); '
            'monitor.end_window("w", sync_execution=False)'
        ),
        close="",
    ),
    CODECARBON: PROGRAM.format(
        import_line="from codecarbon import OfflineEmissionsTracker",
        open_lines=(
            'tracker = OfflineEmissionsTracker(country_iso_code="USA", save_to_file=False, '
            'log_level="critical", allow_multiple_runs=True)'
        ),
        count=100,
        window='tracker.start_task("w"); tracker.stop_task("w")',
        close="",
    ),
}
"""What each tool runs."""

SAMPLER = """
import json, os, sys, time
from pathlib import Path
from energy import Tracker

def processor_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

with Tracker("out", meters=["nvml"], interval_s=1.0) as tracker:
    time.sleep(3.0)  # by then it has learned the rhythm of the counters
    pid, start_s, used_s = tracker.sampler_pid, time.monotonic(), 0.0
    used_s -= processor_s(pid)
    time.sleep(float(sys.argv[1]))
    used_s += processor_s(pid)
    elapsed_s = time.monotonic() - start_s
print("ANSWER", json.dumps([used_s / elapsed_s]))
"""


@dataclass(frozen=True)
class Costs:
    """Costs of one tool.

    Attributes:
        import_s: seconds of its import, one for each round.
        window_s: median seconds of the begin and the end of a window, one for each round.
    """

    import_s: list[float]
    window_s: list[float]


def compare(library: Path, rounds: Iterable[int]) -> dict[str, Costs]:
    """Run every tool once a round.

    Args:
        library: the compiled stand-in.
        rounds: their numbers.

    Raises:
        AccountingError: a tool failed.
    """
    costs = {tool: Costs([], []) for tool in CODE}
    with tempfile.TemporaryDirectory() as folder:
        python = peers_python(Path(folder))
        for _ in rounds:
            for tool, code in CODE.items():
                interpreter = Path(sys.executable) if tool == OURS else python
                import_s, window_s = _answer(tool, interpreter, code, library)
                costs[tool].import_s.append(import_s)
                costs[tool].window_s.append(window_s)
    return costs


def sampler_share(library: Path) -> float:
    """The share of a core that the sampler uses without windows, at one sample a second."""
    (share,) = _answer(OURS, Path(sys.executable), SAMPLER, library, str(SAMPLER_S))
    return share


def gates(costs: Mapping[str, Costs], share: float) -> list[Gate]:
    """The share of a core, and the ratios, against their limits."""
    ours, zeus, codecarbon = (costs[tool] for tool in (OURS, ZEUS, CODECARBON))
    ratios = {
        "window begin and end over Zeus's": median_ratio(ours.window_s, zeus.window_s),
        "window begin and end over CodeCarbon's": median_ratio(ours.window_s, codecarbon.window_s),
        "import over Zeus's": median_ratio(ours.import_s, zeus.import_s),
    }
    return [
        Gate("sampler at 1 Hz, 8 boards: share of a core", share, MOST_SHARE),
        *(
            Gate(f"{name}, 8 boards", ratio, MOST_OVER[name], rows=len(ours.import_s))
            for name, ratio in ratios.items()
        ),
    ]


def _answer(tool: str, python: Path, code: str, library: Path, *arguments: str) -> list[float]:
    """The numbers that a program prints.

    Raises:
        AccountingError: it printed none.
    """
    with tempfile.TemporaryDirectory() as folder:
        finished = subprocess.run(
            [python, "-c", code, *arguments],
            env=environment_of(tool, library, {"DEVICES": BOARDS}, XDG_RUNTIME_DIR=folder),
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    for line in finished.stdout.splitlines():
        if line.startswith("ANSWER "):
            numbers: list[float] = json.loads(line.removeprefix("ANSWER "))
            return numbers
    last = (finished.stderr.strip().splitlines() or ["no message"])[-1]
    raise AccountingError(f"expected figures of {tool}", f"exit code {finished.returncode}, {last}")
