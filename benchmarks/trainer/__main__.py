"""Speed and memory of the trainer beside its alternatives, in about 20 minutes on two cores.

Single layers, whole steps and growth with size; contestants are timed in turns
(benchmarks.trainer.clock), and medians are shown.

    python -m benchmarks.trainer [--write docs/results-train.md] [--quick] [--json]

--quick takes the smaller layers, and growth only with up to 64 experts. A peer that is not
installed (st-moe-pytorch, tutel) is left out, and the page says so; PYTHONPATH may name a folder
made by `pip install --target` that has it.
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

from benchmarks.pages import print_table, split_at_marks, write_between
from benchmarks.trainer import growth, layer, step
from benchmarks.trainer.gates import all_gates
from benchmarks.trainer.page import GATE_HEADS, MARK, gate_cells, tables
from energy.console import print_json
from energy.guard import guard
from energy.ledger.environment import machine

OPTIONAL_PEERS = {"st-moe-pytorch": "st_moe_pytorch", "tutel": "tutel"}
"""Peers that may be missing, and the module of each."""


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", type=Path, help="page whose tables are replaced")
    parser.add_argument("--quick", action="store_true", help="fewer sizes, about half the time")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    guard(lambda: run(options.write, quick=options.quick, as_json=options.json))


def run(page: Path | None, *, quick: bool, as_json: bool) -> None:
    """Measure everything, print the gates, and write the tables into the page.

    Args:
        page: file whose tables are replaced; None writes nothing.
        quick: measure fewer sizes.
        as_json: print JSON in place of the gates.

    Raises:
        InputError: the page has no place for the tables.
    """
    if page:
        split_at_marks(page, MARK)
    results: dict[str, Any] = {
        "quick": quick,
        "machine": environment(),
        "absent": absent_peers(),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "step": step.measure(_report),
        "layer": layer.measure(_report, layer.QUICK if quick else layer.CASES),
        "growth": growth.measure(_report, growth.QUICK if quick else growth.SHAPES),
    }
    if page:
        write_between(page, MARK, tables(results))
    gates = all_gates(results)
    if as_json:
        print_json(results | {"gates": [gate.as_json() for gate in gates]})
        return
    print_table(GATE_HEADS, [gate_cells(gate) for gate in gates])


def environment() -> dict[str, Any]:
    """The machine and the software that the benchmark runs on."""
    facts, threads = machine(), os.environ.get("OMP_NUM_THREADS", "")
    return {
        "cpu": facts["cpu"],
        "cores": facts["cores"],
        "system": facts["system"],
        "threads": int(threads) if threads else len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "torch": version("torch"),
        "transformers": version("transformers"),
        "libc": " ".join(platform.libc_ver()),
    }


def absent_peers() -> dict[str, str]:
    """Peers that are not installed, each with the reason why it is not measured."""
    return {
        name: "not installed"
        for name, module in OPTIONAL_PEERS.items()
        if importlib.util.find_spec(module) is None
    }


def _report(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
