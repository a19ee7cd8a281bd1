"""What the pages of `simulator validate` share: cells of a summary, and what was not predicted."""

from __future__ import annotations

from simulator.questions.validate.summary import Summary

SHOWN_REASONS = 5


def summary_cells(summary: Summary) -> tuple[str, ...]:
    """Number, median, mean and 90th percentile, signed median, and coverage of the band."""
    absolute = (
        summary.median_abs_rel_error,
        summary.mean_abs_rel_error,
        summary.p90_abs_rel_error,
    )
    return (
        f"{summary.n:,}",
        *(f"{error or 0:.1%}" for error in absolute),
        f"{summary.median_signed or 0:+.1%}",
        f"{summary.band_coverage or 0:.0%}",
    )


def skipped_lines(skipped: dict[str, str], rows: str) -> list[str]:
    """The first rows that were not predicted, with the reason, and how many more there are.

    Args:
        skipped: reasons by name.
        rows: what they are.
    """
    first = list(skipped.items())[:SHOWN_REASONS]
    lines = [f"not predicted: {name}: {reason}" for name, reason in first]
    more = len(skipped) - len(first)
    return [*lines, f"and {more} more {rows} not predicted; --json names them"] if more else lines
