"""How large a sweep one process can do: `simulator feasible` on growing spaces.

Every row is one run of the command as a process of its own. Processor time and peak memory are
those that the system counts for that process. Processor time hardly changes when the machine has
other work; elapsed time does.

    python -m benchmarks.simulator.sweeps [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from benchmarks.pages import print_table
from benchmarks.process import run_process
from energy.console import print_json
from energy.guard import guard
from energy.reports.terminal import console

LIMITS = ("--max-mw", "20", "--start", "2027-01-01", "--by", "2027-12-31", "--json")
REGIONS = "FRA,USA,DEU,SWE,NOR,GBR,IND,CHN,JPN,BRA"
MODELS = ("glam-64b-64e", "glam-137b", "glam-8b-64e", "glam-8b")
CHIPS = "h100,h200,a100,b200,tpu-v4,tpu-v5p,h800,mi300x"
COUNTS = "256,384,512,768,1024,1536,2048,3072,4096,6144,8192,12288"
SWEEPS = (
    ("glam-8b-64e", "glam-8b", "--chip", "h100", "--chips", "64,128"),
    ("glam-8b-64e", "glam-8b", "--chip", "h100,a100", "--chips", "64,128,256,512,1024"),
    ("glam-64b-64e", "glam-137b", "--chip", CHIPS, "--chips", "256,512,1024,2048,4096,8192"),
    (*MODELS, "--chip", CHIPS, "--chips", COUNTS),
    (*MODELS, "--chip", CHIPS, "--chips", COUNTS, "--region", REGIONS),
)
"""Arguments of `simulator feasible`, before the limits."""
HEADS = (
    "configurations",
    "within limits",
    "processor time",
    "per configuration",
    "elapsed",
    "peak memory",
)


def main() -> None:
    """Run the sweeps and print what each took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    rows = [measure(arguments) for arguments in SWEEPS]
    if options.json:
        print_json(rows)
        return
    print_table(HEADS, [cells(row) for row in rows])
    for row in rows:
        console().print(row["command"], markup=False, soft_wrap=True)


def measure(arguments: tuple[str, ...]) -> dict[str, Any]:
    """Run one sweep as a process of its own.

    Returns:
        configurations (each plan at each place), cells within the limits, elapsed and processor
        seconds, and peak memory in bytes.
    """
    words = ("feasible", *arguments, *LIMITS)
    finished = run_process([sys.executable, "-m", "simulator.cli", *words], exit_codes=(0, 3))
    answer = json.loads(finished.stdout)
    return {
        "command": " ".join(("simulator", *words)),
        "configurations": answer["considered"],
        "within_limits": len(answer["configurations"]),
        "elapsed_s": finished.elapsed_s,
        "processor_s": finished.processor_s,
        "peak_bytes": finished.peak_bytes,
    }


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """The row of the table."""
    return (
        f"{row['configurations']:,}",
        f"{row['within_limits']:,}",
        f"{row['processor_s']:.1f} s",
        f"{1e6 * row['processor_s'] / row['configurations']:.2f} µs",
        f"{row['elapsed_s']:.1f} s",
        f"{row['peak_bytes'] / 2**20:,.0f} MiB",
    )


if __name__ == "__main__":
    guard(main)
