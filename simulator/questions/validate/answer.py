"""The answer of `simulator validate`: predictions beside what was measured or reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.questions.validate import records
from simulator.questions.validate.records import Agreement
from simulator.questions.validate.runs import Runs
from simulator.questions.validate.throughput import ThroughputResult


@dataclass(frozen=True)
class ValidateAnswer:
    """What was validated; None where it was not requested.

    Attributes:
        throughput: published rows.
        runs: whole runs.
        agreements: own records, predicted and measured.
    """

    throughput: ThroughputResult | None = None
    runs: Runs | None = None
    agreements: tuple[Agreement, ...] | None = None

    def page(self, screen: Any) -> None:
        """Print everything that was validated."""
        if self.throughput is not None:
            from simulator.questions.validate.page_throughput import throughput_page

            throughput_page(self.throughput, screen)
        if self.runs is not None:
            from simulator.questions.validate.page_runs import runs_page

            runs_page(self.runs, screen)
        if self.agreements is not None:
            from simulator.questions.validate.page_records import records_page

            records_page(self.agreements, screen)

    def as_json(self) -> dict[str, Any]:
        """The parts in one object; their keys do not overlap."""
        table: dict[str, Any] = {}
        if self.throughput is not None:
            table |= self.throughput.as_json()
        if self.runs is not None:
            table |= self.runs.as_json()
        if self.agreements is not None:
            table["agreements"] = [agreement.as_json() for agreement in self.agreements]
        return table

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
        if self.agreements is not None:
            records.require_within(self.agreements, tolerance)
