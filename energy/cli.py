"""The command `energy`: names the verbs, each of which stands with its question."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from energy.guard import start

if TYPE_CHECKING:
    from typer import Typer

    from energy.app import Verbs

VERBS: Verbs = {
    "What does a run spend?": {
        "run": ("energy.commands.spending", "Meter any command."),
        "watch": (
            "energy.commands.spending",
            "Show current readings, or serve them to Prometheus.",
        ),
        "record": ("energy.commands.spending", "Write the record of a killed run from its ledger."),
        "merge": ("energy.commands.spending", "Merge ledgers of ranks and nodes into one record."),
        "import": ("energy.commands.spending:import_", "Import a log of another tool as a run."),
    },
    "What did runs spend?": {
        "list": (
            "energy.commands.runs:list_",
            "List runs, with their sums by user, project or month.",
        ),
        "compare": (
            "energy.commands.runs",
            "Compare runs: joules, kWh, CO2e, dollars, J/token, and ratios.",
        ),
        "hourly": ("energy.commands.runs", "Add CO2e hour by hour to a run's record."),
        "trace": (
            "energy.commands.runs",
            "Write a run as a trace that Perfetto opens: windows, joules.",
        ),
        "report": (
            "energy.commands.disclosing",
            "Report runs: lines, a page, or a form that others ask for.",
        ),
    },
    "Can it be true?": {
        "lint": (
            "energy.commands.disclosing",
            "Check what records, tables, cards and forms claim.",
        ),
    },
    "What can be metered here, and how well?": {
        "doctor": (
            "energy.commands.trust",
            "Show every meter, and how to enable the missing ones.",
        ),
        "calibrate": ("energy.commands.trust", "Calibrate this machine against a wall meter."),
        "verify": ("energy.commands.trust", "Check a ledger and the sum in its record."),
    },
    "Which facts and formats are used?": {
        "grid": ("energy.commands.facts", "List grid zones: grams of CO2e per kWh, year, source."),
        "schema": ("energy.commands.facts", "Print the JSON schema of a record."),
    },
}


def command(arguments: Sequence[str] | None = None) -> Typer:
    """The command with its verbs, or with those that its arguments need."""
    from energy.app import build

    return build(
        "energy",
        "What a run spends: joules, FLOP, CO2, water and money, with boundary, origin and band.",
        "0 yes, 2 usage, 3 infeasible, 4 data missing, 5 outside tolerance",
        VERBS,
        arguments,
    )


def main() -> None:
    """Run the command; an expected error becomes one line and an exit code."""
    start(lambda: command(sys.argv[1:]))


if __name__ == "__main__":  # python -m energy.cli
    main()
