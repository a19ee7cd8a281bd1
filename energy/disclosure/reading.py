"""Files as claims: records, tables, and later cards and forms."""

from __future__ import annotations

from pathlib import Path

from energy.claims.claim import Claim
from energy.claims.records import claim_of_record
from energy.claims.rows import claim_of_row, is_known
from energy.errors import InputError
from energy.inputs import read_table
from energy.record import RunRecord

READABLE = "name a record.json or its folder, or a table (.csv)"


def claims_of(path: Path) -> list[Claim]:
    """What a file claims, one claim a run.

    Args:
        path: a record or a folder with one, or a table with a row a run.

    Raises:
        InputError: there is no such file, or it is none of these.
    """
    if path.suffix.lower() == ".csv":
        return _rows(path)
    if path.is_dir() or path.suffix.lower() == ".json":
        return [claim_of_record(RunRecord.load(path), str(path))]
    if not path.exists():
        raise InputError(f"expected a file at {path}", "no such file or folder", READABLE)
    raise InputError("expected a file that can be checked", str(path), READABLE)


def _rows(path: Path) -> list[Claim]:
    header, rows = read_table(path, "a table of runs", READABLE)
    if not is_known(header) or not rows:
        raise InputError(
            f"expected a table of runs in {path}",
            "no rows" if is_known(header) else f"columns {', '.join(header[:6])}",
            "columns are those of energy/claims/columns.csv",
        )
    return [
        claim_of_row(row, f"{path.name} {_name_of(row) or f'row {number}'}")
        for number, row in enumerate(rows, start=2)
    ]


def _name_of(row: dict[str, str]) -> str:
    names = ("run_id", "name", "run_name", "project_name")
    return next((text for name in names if (text := row.get(name, ""))), "")
