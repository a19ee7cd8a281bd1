"""Gates of the meters against exact truth, and other tools beside ours.

Virtual machines and real processes meter stand-ins whose joules are known in closed form. Every
row is printed with its figure, its limit and the verdict; cases that fail are named on standard
error. Exit code 5 if a gate is missed.

    python -m benchmarks.meters [NAME ...] [--beside ../before] [--write PAGE] [--json]
    python -m benchmarks.meters peers
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.checkouts import require_checkout
from benchmarks.meters import figures, peers
from benchmarks.meters.gates import GATES, Setup
from benchmarks.pages import print_table, split_at_marks
from energy.console import print_json
from energy.errors import InputError, ToleranceError
from energy.guard import guard
from tests.support.standin import compiled_nvml

PEERS = "peers"
"""The name that compares other tools on the same stand-in; it has no limit and no row."""


def main() -> None:
    """Run gates from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all, or: {_names()}")
    parser.add_argument("--beside", type=Path, help="checkout to compare processor time with")
    parser.add_argument("--write", type=Path, help="page whose table is replaced")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    guard(lambda: run(options.names, options.beside, options.write, as_json=options.json))


def run(names: Sequence[str], other: Path | None, page: Path | None, *, as_json: bool) -> None:
    """Measure gates, keep and print their rows.

    Args:
        names: of gates; none stands for all.
        other: checkout to compare processor time with; None leaves that row out.
        page: file whose table is replaced; None keeps nothing.
        as_json: print JSON in place of the table.

    Raises:
        InputError: there is no such gate, checkout, or place in the page.
        ToleranceError: a gate is missed.
    """
    chosen = list(names) or list(GATES)
    for name in chosen:
        if name not in GATES and name != PEERS:
            raise InputError("expected a gate", name, f"one of: {_names()}")
    other = require_checkout(other, "energy/__init__.py") if other else None
    if page:
        split_at_marks(page, figures.MARK)
    measured: dict[str, figures.Measured] = {}
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup(compiled_nvml(Path(folder)), other)
        for name in chosen:
            if name == PEERS:
                _compare_peers(setup)
                continue
            note = f"beside {other.name}" if other and name == "million" else ""
            measured[name] = figures.now(GATES[name](setup), note)
            if page:  # gate by gate: what was measured is kept if a later gate stops
                kept = figures.load() | measured
                in_order = {known: kept[known] for known in GATES if known in kept}
                figures.save(in_order)
                figures.write_page(in_order, page)
    if as_json:
        print_json({name: own.as_json() for name, own in measured.items()})
    else:
        print_table(*figures.table(measured))
    rows = [figure.gate for own in measured.values() for figure in own.figures]
    missed = [gate.name for gate in rows if gate.met is False]
    if missed:
        raise ToleranceError("expected every gate to be met", f"misses of {'; '.join(missed)}")


def _compare_peers(setup: Setup) -> None:
    """Print what other tools report on the same stand-in."""
    for reading in peers.compare(setup.nvml_library):
        print(f"{reading.tool:16} {reading.case:28} {reading.result}")


def _names() -> str:
    """The names on the command line."""
    return ", ".join([*GATES, PEERS])


if __name__ == "__main__":
    main()
