"""Speed and memory of the trainer beside its alternatives, in about 20 minutes on two cores.

Layers, whole steps and growth, each timed in turns (benchmarks/trainer/clock.py); medians.

    python -m benchmarks.trainer [--write docs/results-train.md] [--quick] [--json]

--quick takes the smaller layers and growth with experts up to 64 alone. A peer that is not
installed (st-moe-pytorch, tutel) is left out, and the page says so; PYTHONPATH may name a folder of
`pip install --target` that holds it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.trainer import growth as train_growth
from benchmarks.trainer import layer as train_layer
from benchmarks.trainer import page as train_page
from benchmarks.trainer import step as train_step
from benchmarks.trainer.gates import gates
from energy.console import guard, print_json
from energy.files import write_text_atomic
from energy.ledger.environment import machine
from energy.reports.words import console, table

OPTIONAL = {"st-moe-pytorch": "st_moe_pytorch", "tutel": "tutel"}


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", type=Path, help="a page whose tables are made anew")
    parser.add_argument("--quick", action="store_true", help="fewer sizes, about half the time")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    chosen = parser.parse_args()
    guard(lambda: run(chosen.write, chosen.quick, chosen.json))


def run(write: Path | None, quick: bool, as_json: bool) -> None:
    """Measure everything, and tell it."""
    page = write.read_text(encoding="utf-8") if write else None
    found = {
        "quick": quick,
        "machine": told(),
        "absent": absent(),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }
    found["step"] = train_step.measure(_talk)
    found["layer"] = train_layer.measure(_talk, train_layer.QUICK if quick else train_layer.CASES)
    shapes = train_growth.QUICK if quick else train_growth.SHAPES
    found["growth"] = train_growth.measure(_talk, shapes)
    if write and page is not None:
        write_text_atomic(write, train_page.written(page, found, str(write)))
    if as_json:
        print_json(found | {"gates": [vars(gate) | {"met": gate.met} for gate in gates(found)]})
        return
    shown = table("gate", "wanted", "found", "met")
    for gate in gates(found):
        shown.add_row(*gate.cells())
    console().print(shown)


def told() -> dict[str, Any]:
    """The machine, and what ran on it."""
    found, threads = machine(), os.environ.get("OMP_NUM_THREADS", "")
    return {
        "cpu": found["cpu"],
        "cores": found["cores"],
        "system": found["system"],
        "threads": int(threads) if threads else len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "torch": version("torch"),
        "transformers": version("transformers"),
        "libc": " ".join(platform.libc_ver()),
    }


def absent() -> dict[str, str]:
    """Peers that are not installed here, and why they are not."""
    return {
        name: "not installed"
        for name, module in OPTIONAL.items()
        if importlib.util.find_spec(module) is None
    }


def _talk(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
