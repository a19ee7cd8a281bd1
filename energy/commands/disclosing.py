"""The verbs on what is published of runs: `lint`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from energy.app import Csv, Json, examples
from energy.console import print_data
from energy.errors import ToleranceError


@examples("energy lint runs/mine", "energy lint runs.csv --strict --json")
def lint(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Records or tables of runs (.csv).")
    ],
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 5 for warnings, too, as in CI.")
    ] = False,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Check what records and tables claim: units, watts, carbon.

    Exit code 0: nothing is wrong. 5: something cannot be true.
    """
    from energy.claims.check import check, errors
    from energy.disclosure.reading import claims_of

    claims = [claim for path in files for claim in claims_of(path)]
    findings = [finding for claim in claims for finding in check(claim)]
    wrong = len(errors(findings))
    rows = [finding.as_dict() for finding in findings]
    data = {"claims": len(claims), "errors": wrong, "findings": rows}
    if not print_data(data, as_json=json, as_csv=csv, rows=rows):
        for finding in findings:
            print(f"{finding.where}: {finding.severity}: {finding.message} [{finding.rule}]")
        warnings = len(findings) - wrong
        print(f"{len(claims)} claims, {wrong} errors, {warnings} warnings", file=sys.stderr)
    if wrong or (strict and findings):
        sys.exit(ToleranceError.exit_code)
