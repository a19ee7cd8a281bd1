"""The verbs that show runs which have ended: `report`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from energy.app import Csv, Json, examples
from energy.console import print_data


@examples("energy report runs --html report.html")
def report(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER", help="With runs at any depth.")
    ],
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page.")] = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Report runs as lines, an HTML page or JSON."""
    from energy.reports import runs as records
    from energy.reports import summary

    runs = records.find(folders)
    if html is not None:
        from energy.reports.html import write

        write(runs, html)
        print(f"page: {html}", file=sys.stderr)
    data = {"records": [run.record.model_dump(mode="json") for run in runs]}
    rows = [records.row(run.record) for run in runs]
    if not print_data(data, as_json=json, as_csv=csv, rows=rows) and html is None:
        for run in runs:
            # "measured" next to joules would read as their origin.
            kind = "a run" if run.measured else "a prediction"
            print("\n".join(summary.lines(run.record)) + f" ({kind})")
