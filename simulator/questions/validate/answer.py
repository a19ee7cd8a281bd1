"""The answer of `simulator validate`: predictions beside what was measured or reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from energy.errors import InputError
from simulator.fit.from_rows import OnProgress
from simulator.fit.pool import load_pool, published_pool
from simulator.kit.answer import Answer
from simulator.published.runs import read_runs
from simulator.published.shipped import runs_of, tables_of
from simulator.published.throughput import read_tables
from simulator.questions.validate import records as own_records
from simulator.questions.validate.records import Agreement, agreement, pairs, read_records
from simulator.questions.validate.runs import Runs, whole_runs
from simulator.questions.validate.serving import ServingValidation, validate_serving
from simulator.questions.validate.tables import ThroughputResult, validate_throughput
from simulator.scenarios.request import several

if TYPE_CHECKING:
    from simulator.terms import Term


@dataclass(frozen=True, repr=False)
class Validated(Answer):
    """What was validated; None where it was not requested.

    Attributes:
        throughput: published rows.
        runs: whole runs.
        agreements: own records, predicted and measured.
        serving: rows of served models.
    """

    throughput: ThroughputResult | None = None
    runs: Runs | None = None
    agreements: tuple[Agreement, ...] | None = None
    serving: ServingValidation | None = None

    @property
    def headline(self) -> str:
        """How many rows, runs and records."""
        counts = {
            ("row", "rows"): self.throughput and self.throughput.validation.evaluated.rows,
            ("whole run", "whole runs"): self.runs and self.runs.runs,
            ("pair of records", "pairs of records"): self.agreements,
            ("served row", "served rows"): self.serving and self.serving.table.rows,
        }
        return ", ".join(
            f"{len(items):,} {name if len(items) == 1 else plural}"
            for (name, plural), items in counts.items()
            if items
        )

    @property
    def title(self) -> str:
        """The median error of each, and how many are inside the band."""
        summaries = {
            "throughput": self.throughput and self.throughput.validation.summaries()["all"],
            "chip-hours, blind": self.runs and self.runs.summary("chip_hours", "blind"),
            "joules of a served token": self.serving
            and self.serving.summaries("j_per_token")["all"],
        }
        parts = [
            f"{name}: median error {summary.median_abs_rel_error:.0%} of {summary.n:,} rows, "
            f"{summary.band_coverage or 0:.0%} within the 80 % band"
            for name, summary in summaries.items()
            if summary and summary.median_abs_rel_error is not None
        ]
        rows = [row for pair in self.agreements or () for row in pair.rows if row.error is not None]
        if rows:
            inside = sum(row.in_band is True for row in rows)
            parts.append(f"{inside} of {len(rows)} measured numbers are within the predicted band")
        return "; ".join(parts) or self.headline

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of a panel with a line for each run."""
        lines = len(self.runs.runs) if self.runs is not None else 0
        return 8.0, max(4.0, 1.2 + 0.18 * lines)

    def terms(self) -> Mapping[str, Term]:
        """No terms: a comparison computes nothing but errors."""
        return {}

    def require_within(self, tolerance: float) -> None:
        """Check the errors against a tolerance: medians of rows and runs, all errors of records.

        Raises:
            ToleranceError: an error is larger.
        """
        if self.throughput is not None:
            summary = self.throughput.validation.summaries()["all"]
            summary.require_within(tolerance, "throughput")
        if self.runs is not None:
            self.runs.summary("chip_hours", "blind").require_within(tolerance, "chip-hours")
        if self.serving is not None:
            summary = self.serving.summaries("j_per_token")["all"]
            summary.require_within(tolerance, "joules a token")
        if self.agreements is not None:
            own_records.require_within(self.agreements, tolerance)


def validate(
    *,
    records: Path | str | Sequence[Path | str] = (),
    throughput: Path | str | Sequence[Path | str] = (),
    runs: Path | str | None = None,
    serving: Path | str | None = None,
    constants: Path | str | None = None,
    folds: bool = False,
    given_one: bool = False,
    on_progress: OnProgress | None = None,
) -> Validated:
    """Compare predictions with measurements: own records, published rows, whole runs.

    Args:
        records: records, or folders with predicted and measured records below them.
        throughput: tables of throughput, or the word published.
        runs: a table of whole runs, or the word published.
        serving: a table of served models, or the word published.
        constants: a constants file instead of the published fit.
        folds: also fit again without each source, model, chip and publisher, which is slow; of
            served models, without each family.
        given_one: give the first row of each source and chip, and judge the others.
        on_progress: called with a line on what is being done.

    Raises:
        InputError: nothing is named, or a file is not what it should be.
        MissingDataError: no row can be predicted, or no prediction has a measurement.
    """
    if not (records or throughput or runs or serving):
        raise InputError(
            "expected something to validate",
            "nothing",
            "name it: --records DIR, or --throughput, --runs or --serving FILE.csv",
        )
    if serving and constants and (throughput or runs):
        raise InputError("expected --constants of a kind", "two kinds", "validate them apart")
    watch = on_progress or (lambda _: None)
    pool = load_pool(Path(constants)) if constants and not serving else published_pool()
    table = read_tables(tables_of(list(map(str, several(throughput))))) if throughput else None
    places = [Path(place) for place in several(records)]
    return Validated(
        throughput=validate_throughput(
            table, pool, with_folds=folds, with_one=given_one, on_progress=watch
        )
        if table
        else None,
        runs=whole_runs(read_runs(runs_of(str(runs))), pool) if runs else None,
        agreements=tuple(agreement(*pair) for pair in pairs(read_records(places)))
        if places
        else None,
        serving=validate_serving(serving, constants, with_folds=folds, on_progress=watch)
        if serving
        else None,
    )
