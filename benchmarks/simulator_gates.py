"""The accuracy of the simulator against published figures, gate by gate.

Fits everything again without each source, each model and each chip generation (about 5 minutes),
predicts what was left out, and prints a table: what was wanted, what was found.

    python benchmarks/simulator_gates.py [--write docs/results-simulator.md] [--json]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.console import guard, print_json
from energy.errors import InputError
from energy.files import write_text_atomic
from energy.words import console, table
from simulator import show_runs
from simulator.pool import published
from simulator.published_rows import published_tables, runs_of
from simulator.recalibrate import fold_errors
from simulator.rows import Table, ThroughputRow, read_throughput
from simulator.run_rows import read_runs
from simulator.show_validation import held, watching
from simulator.validation import Summary, Validation, fits_in_memory, labels
from simulator.whole_runs import whole_runs

BEGIN, END = "<!-- gates: benchmarks/simulator_gates.py -->", "<!-- end of gates -->"
SWEEPS = ("nanotron", "megatron-deepspeed, one node")
"""Frameworks of the two tables that stand beside the published rows."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Gate:
    """One line: a figure that is wanted, and the one that was found.

    Attributes:
        what: in words.
        rows: rows or runs that it rests on.
        wanted: limit; an upper one, or a lower one for shares of what is right.
        found: the figure.
        least: whether the limit is a lower one.
    """

    what: str
    rows: int
    wanted: float
    found: float
    least: bool = False

    @property
    def met(self) -> bool:
        """Whether the figure is within its limit."""
        return self.found >= self.wanted if self.least else self.found <= self.wanted

    def cells(self) -> tuple[str, ...]:
        """As a row of a table."""
        sign = "at least" if self.least else "at most"
        return (self.what, f"{self.rows:,}", f"{sign} {self.wanted:.0%}", f"{self.found:.1%}",
                "yes" if self.met else "no")  # fmt: skip


def gates() -> list[Gate]:
    """Every gate, with figures of fits that never saw the rows they are judged by."""
    read = [read_throughput(path) for path in published_tables()]
    rows = Table(tuple(row for one in read for row in one.rows), {})
    pool = published()
    found = held(rows, pool)
    with watching() as watch:
        left = {way: found.unseen(errors, chip=way == "chip")
                for way, errors in fold_errors(rows.rows, watch).items()}  # fmt: skip
    return [*throughput_gates(rows.rows, left), *memory_gates(rows.rows, found), *run_gates()]


def throughput_gates(rows: Sequence[ThroughputRow], left: dict[str, Validation]) -> list[Gate]:
    """Tokens a second, by what was left out."""
    told = labels(left["source"].evaluated, "tier") != "C"
    framework = np.array([row.framework for row in rows])
    kind = np.array([row.kind for row in rows])
    own = told & ~np.isin(framework, SWEEPS)
    found = []
    for word, middle, tail in (("dense", 0.10, 0.30), ("moe", 0.15, 0.40)):
        for way in ("source", "model"):
            one = left[way].summary(own & (kind == word))
            found += _two(f"{word}, {way} left out", one, middle, tail)
    size = left["model"]
    found += _one("vTrain clusters, size left out", size, framework == "megatron-deepspeed, vtrain",
                  0.06)  # fmt: skip
    single = size.summary(framework == "megatron-deepspeed, one node")
    found += _one("vTrain one node, size left out", size, framework == SWEEPS[1], 0.07)
    found.append(Gate("the same, mean", single.n, 0.09, single.mean_abs_rel_error or np.nan))
    sweep = framework == "nanotron"
    mfu = labels(size.evaluated, "mfu")
    busy = sweep & ~np.isin(mfu, ("0% to 10%", "10% to 20%"))
    found += _one("nanotron above 20 % MFU, size left out", size, busy, 0.06)
    found += _one("nanotron, all, size left out", size, sweep, 0.25)
    for way in ("source", "model", "chip"):
        one = left[way].summary(own)
        found.append(Gate(f"80 % band holds, {way} left out", one.n, 0.75,
                          one.band_coverage or 0.0, least=True))  # fmt: skip
    return found


def memory_gates(rows: Sequence[ThroughputRow], found: Validation) -> list[Gate]:
    """What fits, and what it holds; nothing in the memory model is fitted."""
    told = fits_in_memory(rows, found.evaluated)
    held_ = sum(bool(row.memory_bytes) for row in rows)
    ended = sum(not row.fitted or bool(row.memory_bytes) for row in rows)
    return [
        Gate("fits in memory or not, balanced accuracy", ended, 0.95, told["balanced_accuracy"],
             least=True),
        Gate("bytes between steps", held_, 0.10, told["memory_median_abs_rel_error"]),
    ]  # fmt: skip


def run_gates() -> list[Gate]:
    """Whole runs: nothing of a run's own is used but its configuration."""
    runs = whole_runs(read_runs(runs_of("published")), published()).runs
    picks = show_runs.QUESTIONS
    found = []
    for what, pick, wanted in (
        ("chip-hours of whole runs, blind", picks["chip_hours"]["blind"], 0.20),
        ("watts a chip, blind", picks["watts_per_chip"]["blind"], 0.10),
        ("MWh given the hours", picks["energy_mwh"]["conditional"], 0.10),
    ):
        told = show_runs.summary([pick(run) for run in runs])
        found.append(Gate(what, told["n"], wanted, told["median_abs_rel_error"]))
    hours = show_runs.summary([picks["chip_hours"]["blind"](run) for run in runs])
    found.append(Gate("80 % band of chip-hours holds", hours["n"], 0.80, hours["band_coverage"],
                      least=True))  # fmt: skip
    return found


def _one(what: str, made: Validation, mask: Mask, wanted: float) -> list[Gate]:
    one = made.summary(mask)
    return [Gate(what, one.n, wanted, one.median_abs_rel_error or np.nan)]


def _two(what: str, one: Summary, middle: float, tail: float) -> list[Gate]:
    shares = (one.median_abs_rel_error or np.nan, one.p90_abs_rel_error or np.nan)
    return [Gate(f"{what}, median", one.n, middle, shares[0]),
            Gate(f"{what}, 90th percentile", one.n, tail, shares[1])]  # fmt: skip


def markdown(found: Sequence[Gate]) -> str:
    """The table as it stands in the docs."""
    lines = ["| absolute relative error | rows | wanted | found | met |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join(gate.cells())} |" for gate in found]
    return "\n".join(lines)


def written(page: str, found: Sequence[Gate], name: str) -> str:
    """A page with its table made anew.

    Raises:
        InputError: the page has no place for it.
    """
    if BEGIN not in page or END not in page:
        raise InputError(f"expected {BEGIN} and {END} in {name}", "none", "write them there")
    head, rest = page.split(BEGIN, 1)
    return f"{head}{BEGIN}\n\n{markdown(found)}\n\n{END}{rest.split(END, 1)[1]}"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", type=Path, help="a page whose table of gates is made anew")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    chosen = parser.parse_args()
    with guard():
        page = chosen.write.read_text(encoding="utf-8") if chosen.write else ""
        if chosen.write:
            written(page, [], str(chosen.write))
        found = gates()
        if chosen.write:
            write_text_atomic(chosen.write, written(page, found, str(chosen.write)))
        if chosen.json:
            told: list[dict[str, Any]] = [vars(gate) | {"met": gate.met} for gate in found]
            print_json({"gates": told})
            return
        shown = table("absolute relative error", "rows", "wanted", "found", "met")
        for gate in found:
            shown.add_row(*gate.cells())
        console().print(shown)


if __name__ == "__main__":
    main()
