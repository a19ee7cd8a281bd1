"""Accuracy and cost of the meters: gates against exact truth, and other tools beside ours.

A stand-in for NVIDIA's library draws square waves of power. A tracked child process marks windows,
and the energy of each window is compared with the integral of the wave between the same two
moments. Exit code 5 if a gate is missed.

    python -m benchmarks.meters [--peers | --only-peers] [--json]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gate import Gate
from benchmarks.meters import accuracy, cost, peers, step
from energy.console import guard, print_json
from energy.errors import ToleranceError
from tests.support.standin import compiled_nvml


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--peers", action="store_true", help="add CodeCarbon, Zeus, perun, ...")
    parser.add_argument("--only-peers", action="store_true", help="measure the peers, no gate")
    options = parser.parse_args()
    guard(
        lambda: run(
            with_gates=not options.only_peers,
            with_peers=options.peers or options.only_peers,
            as_json=options.json,
        )
    )


def run(*, with_gates: bool, with_peers: bool, as_json: bool) -> None:
    """Measure and print.

    Raises:
        ToleranceError: a gate is missed.
    """
    with tempfile.TemporaryDirectory() as folder:
        library = compiled_nvml(Path(folder))
        gates: list[Gate] = []
        if with_gates:
            gates = [*accuracy.gates(library), *cost.gates(library), *step.gates(library)]
        readings = peers.compare(library) if with_peers else []
    if as_json:
        print_json(
            {
                "gates": [gate.as_json() for gate in gates],
                "peers": [vars(reading) for reading in readings],
            }
        )
    else:
        print_page(gates, readings)
    missed = [gate.name for gate in gates if not gate.met]
    if missed:
        raise ToleranceError("expected every gate to be met", f"misses of {'; '.join(missed)}")


def print_page(gates: Sequence[Gate], readings: Sequence[peers.Reading]) -> None:
    """Print a line for the machine, one for each gate and one for each reading of a peer."""
    now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    print(now, f"{os.cpu_count()} cores", f"load {os.getloadavg()[0]:.1f}")
    for gate in gates:
        state = "ok  " if gate.met else "MISS"
        print(f"{state} {gate.name}: {gate.value:.3g} (limit {gate.limit:g})")
    for reading in readings:
        print(f"     {reading.tool:16} {reading.case:28} {reading.result}")


if __name__ == "__main__":
    main()
