"""A table of throughput as it is validated: by constants, by refits, with a row known."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from simulator.fit.folds import fold_errors, folds
from simulator.fit.from_rows import OnProgress
from simulator.fit.pool import Pool
from simulator.published.throughput import Table
from simulator.questions.validate.memory import MemoryCheck, check_memory
from simulator.questions.validate.summary import Summary
from simulator.questions.validate.throughput import GROUPINGS, Validation, validate_table
from simulator.questions.validate.unseen import given_one, publisher_left_out


@dataclass(frozen=True)
class ThroughputResult:
    """Predictions of a table, and with folds those of fits that left rows out.

    Attributes:
        table: the rows, and why others cannot be predicted.
        validation: by the constants as they are.
        left_out: by fits that never saw the rows, by what was left out.
        memory: whether the rows fit in memory.
        given_one: whether the first row of each source and chip is known.
    """

    table: Table
    validation: Validation
    left_out: dict[str, Validation]
    memory: MemoryCheck
    given_one: bool = False

    @property
    def not_understood(self) -> Counter[str]:
        """Words of the table that no reader knows, and the rows that have them."""
        return Counter(words for row in self.table.rows for words in row.not_understood)

    def _rows_as_json(self) -> list[dict[str, Any]]:
        """Each row, with its error by each way of leaving it out."""
        ways = {name: unseen.relative_errors() for name, unseen in self.left_out.items()}
        return [
            row | {"left_out": {name: errors[place] for name, errors in ways.items()}}
            for place, row in enumerate(self.validation.rows_as_json())
        ]

    def as_json(self) -> dict[str, Any]:
        """Summaries, those of each way of leaving out by publisher too, memory, and all rows."""
        validation = self.validation
        return _as_json(validation.summaries()) | {
            "given_one": self.given_one,
            "by": {name: _as_json(validation.by(name)) for name in GROUPINGS},
            "left_out": {
                name: _as_json(unseen.summaries()) for name, unseen in self.left_out.items()
            },
            "left_out_by_publisher": {
                name: {kind: _as_json(by) for kind, by in unseen.by_publisher().items()}
                for name, unseen in self.left_out.items()
            },
            "memory": self.memory.as_json(),
            "rows": self._rows_as_json(),
            "skipped": self.table.skipped,
            "not_understood": dict(self.not_understood.most_common()),
            "newcomers": validation.pool.newcomers,
        }


def _as_json(summaries: dict[str, Summary]) -> dict[str, Any]:
    return {name: summary.as_json() for name, summary in summaries.items()}


def validate_throughput(
    table: Table,
    pool: Pool,
    *,
    with_folds: bool = False,
    with_one: bool = False,
    on_progress: OnProgress = lambda _: None,
) -> ThroughputResult:
    """Predict all rows of a table, and compare with what they report.

    Args:
        table: the rows.
        pool: the constants.
        with_folds: also fit without each source, model, chip and publisher, and predict those.
        with_one: give the first row of each source and chip, and judge the others.
        on_progress: called during these fits.

    Raises:
        MissingDataError: none of the rows can be predicted.
    """
    fitted = validate_table(table, pool)
    left_out = {}
    # One known row says what a newcomer's first row is worth: of a publisher that no fit saw.
    if with_folds and not with_one:
        by_fold = folds(table.rows)
        errors = fold_errors(table.rows, on_progress)
        left_out = {name: fitted.left_out(error, by_fold[name]) for name, error in errors.items()}
    if with_folds:
        left_out["publisher"] = publisher_left_out(fitted, on_progress)
    if with_one:
        fitted = given_one(fitted)
        left_out = {name: given_one(unseen) for name, unseen in left_out.items()}
    return ThroughputResult(
        table=table,
        validation=fitted,
        left_out=left_out,
        memory=check_memory(table.rows, fitted.evaluated),
        given_one=with_one,
    )
