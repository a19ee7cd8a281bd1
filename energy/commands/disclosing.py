"""The verbs on what is published of runs: `report` and `lint`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from energy.app import Csv, Json, Pue, Zone, examples, output_file
from energy.console import print_data
from energy.errors import InputError, ToleranceError
from energy.guard import printing

Form = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="eu-mdf, hf-card, sci, sci-ai, boamps, spdx, cyclonedx, mlperf-power, otel, "
        "openmetrics, html, md, csv or json: one document of all records.",
    ),
]

Stated = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A fact that no record has; repeatable."),
]

Spec = Annotated[
    str | None, typer.Option(metavar="VERSION", help="Of cyclonedx: 1.6 or 1.7 (default).")
]

Despite = Annotated[
    list[str] | None,
    typer.Option(metavar="RULE", help="Disclose although energy lint has an error of it."),
]


@examples(
    "energy report runs --html report.html",
    "energy report runs/mine --format eu-mdf",
    "energy report runs/mine --format hf-card --zone FRA --set training_type=pre-training",
    "energy report runs/base runs/tuned --format eu-mdf --out form.json",
)
def report(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Records, or folders with runs.")
    ],
    form: Form = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the document into this file.", callback=output_file()),
    ] = None,
    stated: Stated = None,
    zone: Zone = None,
    pue: Pue = None,
    spec: Spec = None,
    despite: Despite = None,
    html: Annotated[
        Path | None,
        typer.Option(
            help="Write one page that compares the runs instead.",
            callback=output_file(needs="matplotlib"),
        ),
    ] = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Report runs: lines, a page, or a form that others ask for.

    docs/disclosure.md has the formats. A missing field is refused, with what supplies it.
    """
    if form is None:
        names = ("--out", "--set", "--zone", "--pue", "--spec", "--despite")
        values = (out, stated, zone, pue, spec, despite)
        if used := [name for name, v in zip(names, values, strict=True) if v is not None]:
            raise typer.BadParameter(f"expected --format beside {', '.join(used)}")
        _show(folders, html, as_json=json, as_csv=csv)
        return
    if json or csv or html is not None:
        raise typer.BadParameter("expected one of --format, --html, --json and --csv")
    from energy.disclosure.disclose import disclosed

    text, remarks = disclosed(
        folders,
        form,
        stated=stated or [],
        zone=zone,
        pue=pue,
        spec_version=spec,
        despite=despite or [],
    )
    for remark in remarks:
        print(remark, file=sys.stderr)
    if out is None:
        print(text, end="")
        return
    from energy.files import write_text_atomic

    write_text_atomic(out, text)
    print(f"{form}: {out}", file=sys.stderr)


def _show(folders: list[Path], html: Path | None, *, as_json: bool, as_csv: bool) -> None:
    """Lines, rows or JSON of runs, or a page that compares them."""
    from energy.reports import runs as records
    from energy.reports import summary

    runs = records.find(folders)
    if html is not None:
        from energy.reports.html import write

        write(runs, html)
        print(f"page: {html}", file=sys.stderr)
    data = {"records": [run.record.model_dump(mode="json") for run in runs]}
    rows = [records.row(run.record) for run in runs]
    if not print_data(data, as_json=as_json, as_csv=as_csv, rows=rows) and html is None:
        for run in runs:
            # "measured" next to joules would read as their origin.
            kind = "a run" if run.measured else "a prediction"
            print("\n".join(summary.lines(run.record)) + f" ({kind})")


@examples("energy lint runs/mine", "energy lint runs.csv --strict --json")
def lint(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Records, tables (.csv), cards (.md), forms (.json)."),
    ],
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 5 for warnings, too, as in CI.")
    ] = False,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Check what records, tables, cards and forms claim.

    Exit code 0: nothing is wrong. 5: something cannot be true.
    """
    from energy.claims.check import check, errors
    from energy.disclosure.readers.files import claims_of

    of_files = [(path, claims_of(path)) for path in files]
    claims = [claim for _, own in of_files for claim in own]
    empty = [str(path) for path, own in of_files if not own]
    if empty := empty + [c.where for c in claims if not (c.numbers or c.problems)]:
        raise InputError(
            f"expected figures of a run in {empty[0]}",
            "none that is read",
            "docs/lint.md says what is",
        )
    findings = [finding for claim in claims for finding in check(claim)]
    wrong = len(errors(findings))
    rows = [finding.as_dict() for finding in findings]
    data = {"claims": len(claims), "errors": wrong, "findings": rows}
    with printing():
        printed = print_data(data, as_json=json, as_csv=csv, rows=rows)
        for finding in () if printed else findings:
            print(f"{finding.where}: {finding.severity}: {finding.message} [{finding.rule}]")
    if not printed:
        warnings = len(findings) - wrong
        counts = {"claim": len(claims), "error": wrong, "warning": warnings}
        line = ", ".join(f"{count} {name}{'s' * (count != 1)}" for name, count in counts.items())
        print(line, file=sys.stderr)
    if wrong or (strict and findings):
        sys.exit(ToleranceError.exit_code)
