"""What the pages of `simulator validate` share: cells of a summary, and what was not predicted."""

from __future__ import annotations

from simulator.questions.validate.summary import Summary

SHOWN_REASONS = 5


def summary_cells(summary: Summary) -> tuple[str, ...]:
    """The number, the errors, the coverage and width of the band, and the median of publishers."""
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
        f"{summary.median_band_ratio or 0:.2f}",
        f"{summary.by_publisher or 0:.1%}",
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
