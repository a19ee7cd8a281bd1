"""CodeCarbon's offline tracker, in a process that no setting of the user reaches.

Started by path, with an empty folder as home and working folder and an empty environment:
CodeCarbon reads `.codecarbon.config` and CODECARBON_* from there, and what they say goes before the
arguments of its tracker (`output_methods` may name an address to send to).

The first argument is JSON: `path`, where modules are, and `gpu_ids`. One line of JSON on stdout
tells that it runs, or why not; another, once stdin is closed, its kWh.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main() -> None:
    """Measure until stdin is closed."""
    settings = json.loads(sys.argv[1])
    sys.path[:] = settings["path"]
    answers = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)

    def answer(**values: Any) -> None:
        os.write(answers, json.dumps(values).encode() + b"\n")

    try:
        from codecarbon import OfflineEmissionsTracker
    except ImportError:
        answer(missing=True)
        return
    # Only the joules are used; the country is a required argument without effect on them.
    tracker = OfflineEmissionsTracker(
        country_iso_code="USA",
        measure_power_secs=1,
        save_to_file=False,
        log_level="critical",
        allow_multiple_runs=True,
        gpu_ids=settings["gpu_ids"],
    )
    tracker.start()
    answer(started=True)
    sys.stdin.read()
    tracker.stop()
    totals = tracker.final_emissions_data
    kwh = {part: float(getattr(totals, f"{part}_energy")) for part in ("cpu", "gpu", "ram")}
    answer(kwh=kwh, mode=str(getattr(tracker, "_cpu_tracking_mode", "") or _mode(tracker)))


def _mode(tracker: Any) -> str:
    """The processor backend according to the tracker's list of hardware."""
    for part in getattr(tracker, "_hardware", []):
        if type(part).__name__ == "CPU":
            return str(getattr(part, "_mode", ""))
    return ""


if __name__ == "__main__":
    main()
