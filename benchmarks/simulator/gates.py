"""Accuracy of the simulator against published figures, gate by gate.

Predicts the published rows and runs. With --folds it also refits everything without each source,
each model, each chip generation and each publisher (about 15 minutes) and predicts what was left
out. Exit code 5 if a figure is worse than the recorded one.

    python -m benchmarks.simulator.gates [--folds] [--record] [--write PAGE] [--json]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.gate import Gate
from benchmarks.pages import markdown_table, print_table, split_at_marks, write_between
from benchmarks.simulator.capacity import PUBLISHED_RATIO, capacity_ratios
from benchmarks.simulator.roofs import above_roof
from energy.console import print_json
from energy.errors import ToleranceError
from energy.files import write_text_atomic
from energy.guard import guard
from simulator.fit.folds import fold_errors, folds
from simulator.fit.pool import published_pool
from simulator.kit.progress import watching
from simulator.published.runs import read_runs
from simulator.published.shipped import calibration_table, published_tables, runs_of
from simulator.published.throughput import ThroughputRow, read_tables, read_throughput
from simulator.questions.validate.memory import check_memory
from simulator.questions.validate.runs import whole_runs
from simulator.questions.validate.summary import Summary
from simulator.questions.validate.throughput import Validation, labels, validate_table
from simulator.questions.validate.unseen import given_one, publisher_left_out

MARK = "gates: benchmarks.simulator.gates"
HEADS = ("absolute relative error", "rows", "target", "measured", "met")
RECORDED = Path(__file__).with_name("gates.json")
SLACK = 0.005
"""How much worse than recorded a figure may be: half a point, as sums differ by machine."""
NANOTRON, ONE_NODE, CLUSTERS = (
    "nanotron",
    "megatron-deepspeed, one node",
    "megatron-deepspeed, vtrain",
)
"""Frameworks of the tables that are judged on their own."""

FORMS = {"share": ("{:.0%}", "{:.1%}"), "ratio": ("{:.1f}", "{:.2f}"), "count": ("{:,.0f}",) * 2}
"""How the target and the figure of a gate are printed, by its form."""

NEWCOMER = {"dense": (0.08, 0.25, 0.10, 2.0), "moe": (0.12, 0.45, 0.18, 4.0)}
"""Limits of median, 90th percentile, median of publishers, and width of the band, by kind."""

GIVEN_ONE = {"dense": (0.09, 0.28, None, None), "moe": (0.13, 0.45, None, None)}
"""The same where one row of a source and chip is known."""

Limits = Mapping[str, tuple[float, float, float | None, float | None]]

Mask = NDArray[np.bool_]


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folds", action="store_true", help="also refit without each source")
    parser.add_argument("--record", action="store_true", help="record these figures as the state")
    parser.add_argument("--write", type=Path, help="page whose table of gates is replaced")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    guard(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Predict, report, and compare with what was recorded.

    Raises:
        InputError: the page to write has no place for the table.
        ToleranceError: a figure got worse.
    """
    before = split_at_marks(options.write, MARK)[1] if options.write else ""
    gates = all_gates(with_folds=options.folds)
    rows = [cells(gate) for gate in gates]
    if options.write:
        write_between(options.write, MARK, markdown_table(HEADS, in_place(rows, before)))
    if options.json:
        print_json({"gates": [gate.as_json() for gate in gates]})
    else:
        print_table(HEADS, rows)
    recorded = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
    if options.record:
        recorded |= {gate.name: round(gate.value, 4) for gate in gates}
        write_text_atomic(RECORDED, json.dumps(recorded, indent=1) + "\n")
    require_no_worse(gates, recorded)


def in_place(rows: Sequence[Sequence[str]], table: str) -> list[Sequence[str]]:
    """The rows of a page's table, those that were computed now in the place of those before.

    Without --folds most are not computed, and stay as they are; a row that is not there is last.
    """
    known = {row[0]: row for row in rows}
    lines = [line for line in table.splitlines() if line.startswith("| ")][2:]
    there = [tuple(line.strip("| ").split(" | ")) for line in lines]
    kept = [known.pop(row[0], _padded(row)) for row in there]
    return [*kept, *known.values()]


def _padded(row: tuple[str, ...]) -> tuple[str, ...]:
    """A row with its blank cells at the end."""
    return row + ("",) * (len(HEADS) - len(row))


def cells(gate: Gate) -> tuple[str, ...]:
    """The row of the table."""
    limit, figure = FORMS[gate.form]
    return (
        gate.name,
        f"{gate.rows:,}",
        gate.target(limit.format),
        figure.format(gate.value),
        gate.verdict,
    )


def require_no_worse(gates: Sequence[Gate], recorded: dict[str, float]) -> None:
    """Check that no figure is worse than it was recorded, beyond the slack.

    Raises:
        ToleranceError: at least one is.
    """
    worse = []
    for gate in gates:
        before = recorded.get(gate.name)
        if before is None:
            continue
        # A figure that is missing keeps to nothing.
        if not (gate.value >= before - SLACK if gate.at_least else gate.value <= before + SLACK):
            figure = FORMS[gate.form][1].format
            worse.append(f"{gate.name}: {figure(gate.value)} after {figure(before)}")
    if worse:
        raise ToleranceError(
            "expected no figure worse than recorded",
            "; ".join(worse),
            "find the cause, or record the new figures with --record and say why",
        )


def all_gates(*, with_folds: bool) -> list[Gate]:
    """Compute every figure.

    Args:
        with_folds: add the errors of fits that never saw the rows they are judged by.
    """
    rows = read_tables(published_tables())
    fitted = validate_table(rows, published_pool())
    gates = kind_gates("fitted", fitted)
    if with_folds:
        with watching() as on_progress:
            errors_by_fold = fold_errors(rows.rows, on_progress)
            newcomer = publisher_left_out(fitted, on_progress)
        left_out = {
            fold: fitted.left_out(errors, folds(rows.rows)[fold])
            for fold, errors in errors_by_fold.items()
        }
        gates += fold_gates(rows.rows, left_out)
        gates += newcomer_gates("publisher left out", newcomer, NEWCOMER)
        gates += newcomer_gates("one row of the publisher known", given_one(newcomer), GIVEN_ONE)
        gates.append(roof_gate())
    apart = validate_table(read_throughput(calibration_table()), published_pool())
    gates += newcomer_gates("rows of 2026, which calibrate", apart, {})
    return [*gates, *memory_gates(rows.rows, fitted), *run_gates(), capacity_gate()]


def complete_rows(validation: Validation) -> Mask:
    """Rows with a complete or nearly complete configuration, the large sweeps left out."""
    framework = np.array([row.framework for row in validation.evaluated.rows])
    sweep = np.isin(framework, (NANOTRON, ONE_NODE))
    return np.asarray((labels(validation.evaluated, "tier") != "C") & ~sweep)


def kind_gates(fold: str, validation: Validation, *, limited: bool = False) -> list[Gate]:
    """Median and 90th percentile of the error, of dense models and of mixtures of experts.

    Args:
        fold: "fitted", or what was left out.
        validation: predictions of the rows.
        limited: apply the limits, which are for rows that the fit did not see.
    """
    kind = np.array([row.kind for row in validation.evaluated.rows])
    gates = []
    for word, name, median_limit, tail_limit in (
        ("dense", "dense", 0.10, 0.30),
        ("moe", "MoE", 0.15, 0.40),
    ):
        summary = validation.summary(complete_rows(validation) & (kind == word))
        tail = _number(summary.p90_abs_rel_error)
        gates += [
            _median(f"{name}, {fold}, median", summary, median_limit if limited else None),
            Gate(
                f"{name}, {fold}, 90th percentile",
                tail,
                tail_limit if limited else None,
                rows=summary.n,
            ),
        ]
    return gates


def fold_gates(rows: Sequence[ThroughputRow], left_out: dict[str, Validation]) -> list[Gate]:
    """Errors and band coverage of throughput, for each way of leaving rows out.

    Args:
        rows: published rows.
        left_out: predictions of fits without the source, model or chip of each row.
    """
    gates = [
        gate
        for fold in ("source", "model")
        for gate in kind_gates(f"{fold} left out", left_out[fold], limited=True)
    ]
    framework, by_size = np.array([row.framework for row in rows]), left_out["model"]
    one_node = by_size.summary(framework == ONE_NODE)
    nanotron = framework == NANOTRON
    slow = np.isin(labels(by_size.evaluated, "mfu"), ("0% to 10%", "10% to 20%"))
    gates += [
        _median("vTrain clusters, size left out", by_size.summary(framework == CLUSTERS), 0.06),
        _median("vTrain one node, size left out", one_node, 0.07),
        Gate(
            "vTrain one node, size left out, mean",
            _number(one_node.mean_abs_rel_error),
            0.09,
            rows=one_node.n,
        ),
        _median("nanotron above 20 % MFU, size left out", by_size.summary(nanotron & ~slow), 0.06),
        _median("nanotron, all, size left out", by_size.summary(nanotron), 0.25),
    ]
    for fold in ("source", "model", "chip"):
        summary = left_out[fold].summary(complete_rows(left_out[fold]))
        coverage = _number(summary.band_coverage)
        name = f"coverage of the 80 % band, {fold} left out"
        gates.append(Gate(name, coverage, 0.75, at_least=True, rows=summary.n))
    return gates


def newcomer_gates(title: str, validation: Validation, limits: Limits) -> list[Gate]:
    """Errors and bands of rows whose publisher no fit saw.

    Args:
        title: what was left out, or is known.
        validation: predictions of the rows.
        limits: by kind of model.
    """
    kind = np.array([row.kind for row in validation.evaluated.rows])
    gates = []
    for word, name in (("dense", "dense"), ("moe", "MoE")):
        summary = validation.summary(complete_rows(validation) & (kind == word))
        median, tail, publishers, ratio = limits.get(word, (None, None, None, None))
        figures = (
            ("median", summary.median_abs_rel_error, median),
            ("90th percentile", summary.p90_abs_rel_error, tail),
            ("median of publishers", summary.by_publisher, publishers),
        )
        rows = summary.n
        gates += [
            Gate(f"{name}, {title}, {figure}", _number(value), limit, rows=rows)
            for figure, value, limit in figures
        ]
        coverage = _number(summary.band_coverage)
        least = 0.75 if limits else None
        gates.append(Gate(f"{name}, {title}, coverage", coverage, least, at_least=True, rows=rows))
        gates.append(
            Gate(
                f"{name}, {title}, high / low of the band",
                _number(summary.median_band_ratio),
                ratio,
                rows=rows,
                form="ratio",
            )
        )
    return gates


def memory_gates(rows: Sequence[ThroughputRow], validation: Validation) -> list[Gate]:
    """Whether a plan fits in memory, and how much it needs; nothing in that model is fitted."""
    memory = check_memory(rows, validation.evaluated)
    with_bytes = sum(bool(row.memory_bytes) for row in rows)
    with_outcome = sum(not row.fitted or bool(row.memory_bytes) for row in rows)
    return [
        Gate(
            "fits in memory or not, balanced accuracy",
            memory.balanced_accuracy,
            0.95,
            at_least=True,
            rows=with_outcome,
        ),
        Gate(
            "memory allocated between steps",
            _number(memory.median_abs_rel_error),
            0.10,
            rows=with_bytes,
        ),
    ]


def run_gates() -> list[Gate]:
    """Whole runs; of a run's own report only its configuration is used, unless the name says so."""
    runs = whole_runs(read_runs(runs_of("published")), published_pool())
    hours = runs.summary("chip_hours", "blind")
    coverage = _number(hours.band_coverage)
    return [
        _median("chip-hours of whole runs, blind", hours, 0.16),
        _median("watts per chip, blind", runs.summary("watts_per_chip", "blind"), 0.08),
        _median("MWh given the hours", runs.summary("energy_mwh", "conditional"), 0.08),
        Gate(
            "coverage of the 80 % band of chip-hours", coverage, 0.80, at_least=True, rows=hours.n
        ),
    ]


def capacity_gate() -> Gate:
    """MFU lost to padding (`benchmarks.simulator.capacity`): the plan with the largest error."""
    errors = np.abs(capacity_ratios() / PUBLISHED_RATIO - 1)
    name = "capacity factor 1.0 to 1.5, nothing fitted, worst plan"
    return Gate(name, float(errors.max()), 0.03, rows=len(errors))


def roof_gate() -> Gate:
    """Predictions whose band reaches an MFU above the roof (`benchmarks.simulator.roofs`)."""
    predicted, above = above_roof()
    name = "MFU above the roof, every model, chip and count of the catalog"
    return Gate(name, len(above), 0, rows=predicted, form="count")


def _number(figure: float | None) -> float:
    """A figure that may be missing; one that is exactly 0 is a figure."""
    return np.nan if figure is None else figure


def _median(name: str, summary: Summary, limit: float | None) -> Gate:
    return Gate(name, _number(summary.median_abs_rel_error), limit, rows=summary.n)


if __name__ == "__main__":
    main()
