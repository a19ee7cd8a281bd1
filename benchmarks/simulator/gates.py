"""The accuracy of the simulator against published figures, gate by gate, and held where it is.

Predicts the published rows and runs, and with --folds fits everything again without each source,
each model and each chip generation first (about 6 minutes) and predicts what was left out. Exit
code 5 where a figure is worse than the recorded one.

    python -m benchmarks.simulator.gates [--folds] [--record] [--write PAGE] [--json]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.pages import markdown_table, print_table, split_at_marks, write_between
from benchmarks.simulator.capacity import PUBLISHED_RATIO, capacity_ratios
from energy.console import guard, print_json
from energy.errors import ToleranceError
from energy.files import write_text_atomic
from simulator.fit.pool import published
from simulator.fit.refit import fold_errors, folds
from simulator.kit.progress import watching
from simulator.published.runs import read_runs
from simulator.published.shipped import published_tables, runs_of
from simulator.published.throughput import Table, ThroughputRow, read_throughput
from simulator.questions.validate import page_runs as show_runs
from simulator.questions.validate.runs import whole_runs
from simulator.questions.validate.throughput import (
    Summary,
    Validation,
    fits_in_memory,
    held,
    labels,
)

MARK = "gates: benchmarks.simulator.gates"
HEADS = ("absolute relative error", "rows", "wanted", "found", "met")
RECORDED = Path(__file__).with_name("gates.json")
SLACK = 0.005
"""How much worse than recorded a figure may be: half a point, for sums of other machines."""
SWEEPS = ("nanotron", "megatron-deepspeed, one node")
"""Frameworks of the two tables that stand beside the published rows."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Gate:
    """One line: a figure that is wanted, and the one that was found.

    Attributes:
        what: in words.
        rows: rows or runs that it rests on.
        wanted: limit; an upper one, or a lower one for shares of what is right; None for none.
        found: the figure.
        least: whether higher is better.
    """

    what: str
    rows: int
    wanted: float | None
    found: float
    least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the figure is within its limit; None where it has none."""
        if self.wanted is None:
            return None
        return self.found >= self.wanted if self.least else self.found <= self.wanted

    def worse_than(self, recorded: float) -> bool:
        """Whether it is worse than what was recorded, beyond the slack."""
        return self.found < recorded - SLACK if self.least else self.found > recorded + SLACK

    def cells(self) -> tuple[str, ...]:
        """As a row of a table."""
        sign = "at least" if self.least else "at most"
        wanted = "" if self.wanted is None else f"{sign} {self.wanted:.0%}"
        word = {True: "yes", False: "no", None: ""}[self.met]
        return self.what, f"{self.rows:,}", wanted, f"{self.found:.1%}", word


def gates(leave_out: bool) -> list[Gate]:
    """Every figure; leaving out, also of fits that never saw the rows they are judged by."""
    read = [read_throughput(path) for path in published_tables()]
    rows = Table(tuple(row for one in read for row in one.rows), {})
    found = held(rows, published())
    lines = kind_gates("in the fit", found)
    if leave_out:
        with watching() as watch:
            left = {
                way: found.unseen(errors, folds(rows.rows)[way])
                for way, errors in fold_errors(rows.rows, watch).items()
            }
        lines += left_out_gates(rows.rows, left)
    return [*lines, *memory_gates(rows.rows, found), *run_gates(), capacity_gate()]


def own_rows(made: Validation) -> Mask:
    """Rows of the published table of complete or nearly complete configurations."""
    framework = np.array([row.framework for row in made.evaluated.rows])
    return np.asarray((labels(made.evaluated, "tier") != "C") & ~np.isin(framework, SWEEPS))


def kind_gates(way: str, made: Validation, wanted: bool = False) -> list[Gate]:
    """Dense rows and mixtures: median and 90th percentile; limits are for rows left out."""
    own, kind = own_rows(made), np.array([row.kind for row in made.evaluated.rows])
    found = []
    for word, middle, tail in (("dense", 0.10, 0.30), ("moe", 0.15, 0.40)):
        one = made.summary(own & (kind == word))
        found += [
            _middle(f"{word}, {way}, median", one, middle if wanted else None),
            Gate(
                f"{word}, {way}, 90th percentile",
                one.n,
                tail if wanted else None,
                one.p90_abs_rel_error or np.nan,
            ),
        ]
    return found


def left_out_gates(rows: Sequence[ThroughputRow], left: dict[str, Validation]) -> list[Gate]:
    """Tokens a second, by what was left out."""
    found = []
    for way in ("source", "model"):
        found += kind_gates(f"{way} left out", left[way], wanted=True)
    framework, size = np.array([row.framework for row in rows]), left["model"]
    cluster = size.summary(framework == "megatron-deepspeed, vtrain")
    single, sweep = size.summary(framework == SWEEPS[1]), framework == "nanotron"
    busy = sweep & ~np.isin(labels(size.evaluated, "mfu"), ("0% to 10%", "10% to 20%"))
    found += [
        _middle("vTrain clusters, size left out", cluster, 0.06),
        _middle("vTrain one node, size left out", single, 0.07),
        Gate("the same, mean", single.n, 0.09, single.mean_abs_rel_error or np.nan),
        _middle("nanotron above 20 % MFU, size left out", size.summary(busy), 0.06),
        _middle("nanotron, all, size left out", size.summary(sweep), 0.25),
    ]
    for way in ("source", "model", "chip"):
        one = left[way].summary(own_rows(left[way]))
        found.append(
            Gate(
                f"80 % band holds, {way} left out",
                one.n,
                0.75,
                one.band_coverage or 0.0,
                least=True,
            )
        )
    return found


def memory_gates(rows: Sequence[ThroughputRow], found: Validation) -> list[Gate]:
    """What fits, and what it holds; nothing in the memory model is fitted."""
    told = fits_in_memory(rows, found.evaluated)
    held_ = sum(bool(row.memory_bytes) for row in rows)
    ended = sum(not row.fitted or bool(row.memory_bytes) for row in rows)
    return [
        Gate(
            "fits in memory or not, balanced accuracy",
            ended,
            0.95,
            told["balanced_accuracy"],
            least=True,
        ),
        Gate("bytes between steps", held_, 0.10, told["memory_median_abs_rel_error"]),
    ]


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
    found.append(
        Gate("80 % band of chip-hours holds", hours["n"], 0.80, hours["band_coverage"], least=True)
    )
    return found


def capacity_gate() -> Gate:
    """Utilisation lost to padding (`benchmarks.simulator.capacity`): the plan that is most off."""
    off = np.abs(capacity_ratios() / PUBLISHED_RATIO - 1)
    return Gate(
        "capacity factor 1.0 to 1.5, nothing fitted, worst plan", len(off), 0.03, float(off.max())
    )


def _middle(what: str, one: Summary, wanted: float | None) -> Gate:
    return Gate(what, one.n, wanted, one.median_abs_rel_error or np.nan)


def hold(found: Sequence[Gate], recorded: dict[str, float]) -> None:
    """Refuse figures that got worse.

    Raises:
        ToleranceError: one is worse than it was recorded.
    """
    known = [gate for gate in found if gate.what in recorded]
    worse = [
        f"{gate.what}: {gate.found:.1%} after {recorded[gate.what]:.1%}"
        for gate in known
        if gate.worse_than(recorded[gate.what])
    ]
    if worse:
        raise ToleranceError(
            "expected no figure worse than recorded",
            "; ".join(worse),
            "mend it, or record anew with --record and say why",
        )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folds", action="store_true", help="fit again without each source")
    parser.add_argument("--record", action="store_true", help="take these figures as the state")
    parser.add_argument("--write", type=Path, help="a page whose table of gates is made anew")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    chosen = parser.parse_args()
    guard(lambda: run(chosen))


def run(chosen: argparse.Namespace) -> None:
    """Predict, report, and hold against what was recorded.

    Raises:
        InputError: the page to write has no place for the table.
        ToleranceError: a figure got worse.
    """
    if chosen.write:
        split_at_marks(chosen.write, MARK)
    found = gates(chosen.folds)
    report(found, chosen.write, chosen.json)
    recorded = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
    if chosen.record:
        recorded |= {gate.what: round(gate.found, 4) for gate in found}
        write_text_atomic(RECORDED, json.dumps(recorded, indent=1) + "\n")
    hold(found, recorded)


def report(found: Sequence[Gate], page: Path | None, as_json: bool) -> None:
    """Print the table, and write it where it was asked for."""
    rows = [gate.cells() for gate in found]
    if page:
        write_between(page, MARK, markdown_table(HEADS, rows))
    if as_json:
        told: list[dict[str, Any]] = [vars(gate) | {"met": gate.met} for gate in found]
        print_json({"gates": told})
        return
    print_table(HEADS, rows)


if __name__ == "__main__":
    main()
