"""How far one process carries a sweep: `simulator feasible` on growing spaces, each by itself.

Every row is one run of the command. Processor seconds and peak memory are those that the system
counts of that process; processor seconds hardly change when the machine has other work, elapsed
ones do.

    python -m benchmarks.simulator.sweeps [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from energy.console import guard, print_json
from energy.reports.words import console, table

LIMITS = ("--max-mw", "20", "--start", "2027-01-01", "--by", "2027-12-31", "--json")
PLACES = "FRA,USA,DEU,SWE,NOR,GBR,IND,CHN,JPN,BRA"
LARGE = ("glam-64b-64e", "glam-137b", "glam-8b-64e", "glam-8b")
KINDS = "h100,h200,a100,b200,tpu-v4,tpu-v5p,h800,mi300x"
COUNTS = "256,384,512,768,1024,1536,2048,3072,4096,6144,8192,12288"
SWEEPS = (
    ("glam-8b-64e", "glam-8b", "--chip", "h100", "--chips", "64,128"),
    ("glam-8b-64e", "glam-8b", "--chip", "h100,a100", "--chips", "64,128,256,512,1024"),
    ("glam-64b-64e", "glam-137b", "--chip", KINDS, "--chips", "256,512,1024,2048,4096,8192"),
    (*LARGE, "--chip", KINDS, "--chips", COUNTS),
    (*LARGE, "--chip", KINDS, "--chips", COUNTS, "--region", PLACES),
)


def main() -> None:
    """Run the sweeps and print what each took."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--json", action="store_true", help="one JSON document on stdout")
    asked = options.parse_args()
    rows = [measured(sweep) for sweep in SWEEPS]
    print_json(rows) if asked.json else page(rows)


def measured(words: tuple[str, ...]) -> dict[str, Any]:
    """One sweep in a process of its own.

    Returns:
        configurations (each plan at each place), cells that were told, elapsed and processor
        seconds, peak memory in bytes.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        begin = time.monotonic()
        with answer.open("w") as file:
            command = [sys.executable, "-m", "simulator.cli", "feasible", *words, *LIMITS]
            process = subprocess.Popen(command, stdout=file)
            _, status, used = os.wait4(process.pid, 0)
        elapsed_s = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        found = json.loads(answer.read_text())
    return {
        "command": " ".join(("simulator feasible", *words, *LIMITS)),
        "configurations": found["considered"],
        "told": len(found["configurations"]),
        "elapsed_s": elapsed_s,
        "processor_s": used.ru_utime + used.ru_stime,
        "peak_bytes": used.ru_maxrss * 1024,
    }


def page(rows: list[dict[str, Any]]) -> None:
    """Print a row a sweep."""
    out = console()
    found = table("configurations", "told", "processor", "each", "elapsed", "peak memory")
    for row in rows:
        found.add_row(
            f"{row['configurations']:,}",
            f"{row['told']:,}",
            f"{row['processor_s']:.1f} s",
            f"{1e6 * row['processor_s'] / row['configurations']:.2f} µs",
            f"{row['elapsed_s']:.1f} s",
            f"{row['peak_bytes'] / 2**20:,.0f} MiB",
        )
    out.print(found)
    for row in rows:
        out.print(row["command"], markup=False, soft_wrap=True)


if __name__ == "__main__":
    guard(main)
