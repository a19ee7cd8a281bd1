"""What metering costs: import, start and stop, a window, the sampler's processor time, disk."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks.gate import Gate
from benchmarks.meters.standin import run_child
from energy.ledger.lines import FILE
from energy.ledger.lines import rows as rows_of

CHILD = """
import json, sys, time

start = time.perf_counter(); import energy; from energy import Tracker
import_s = time.perf_counter() - start
start = time.perf_counter()
with Tracker(sys.argv[1], meters=["nvml"]) as tracker:
    open_s = time.perf_counter() - start
    time.sleep(9)
    windows_s = []
    for _ in range(500):
        start = time.perf_counter()
        with tracker.window("step"): pass
        windows_s.append(time.perf_counter() - start)
        time.sleep(0.002)
    rss = next(line for line in open(f"/proc/{tracker.sampler_pid}/status") if "VmRSS" in line)
    start = time.perf_counter()
close_s = time.perf_counter() - start
print(json.dumps([import_s, open_s, sorted(windows_s)[250], close_s, int(rss.split()[1])]))
"""


def gates(library: Path) -> list[Gate]:
    """Cost of a tracker that meters 8 devices for ten seconds."""
    with tempfile.TemporaryDirectory() as folder:
        printed = run_child(CHILD, library, {"DEVICES": "8"}, folder)
        import_s, open_s, window_s, close_s, rss_kb = json.loads(printed)
        path = Path(folder) / FILE
        rows = [row for row, _ in rows_of(path)]
        samples = [line for line in path.read_bytes().splitlines() if b'"k":"s"' in line]
    end = rows[-1]
    elapsed_s = (end["m"] - rows[0]["m"]) / 1e9
    day_bytes = sum(len(line) + 1 for line in samples) / len(samples) * 86_400
    return [
        Gate("import energy, s", import_s, 0.050),
        Gate("open to first reading, s", open_s, 0.150),
        Gate("window begin and end in the trainer, 8 devices, median, s", window_s, 60e-6),
        Gate("close, s", close_s, 0.3),
        Gate("sampler, share of one core, 8 devices", end["cpu_s"] / elapsed_s, 0.02),
        Gate("sampler, resident MB", rss_kb / 1e3, 30.0),
        Gate("disk for a day of samples, 8 devices, MB", day_bytes / 1e6, 30.0),
    ]
