"""Files as claims: records, tables, model cards and forms, ours or anybody's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from energy.claims.claim import Claim
from energy.claims.records import claim_of_record
from energy.claims.rows import claim_of_row, is_known
from energy.disclosure.readers import boms, card, forms, hub_page, pages
from energy.errors import InputError
from energy.inputs import read_json, read_table, read_text
from energy.record import RunRecord

READABLE = (
    "name a record.json or its folder, a table (.csv), a model card (.md, or .html as a browser "
    "saves it), a page or metrics of energy report (html, md, json, openmetrics), or a form "
    "(.json): eu-mdf, sci, boamps, spdx, cyclonedx or otel"
)

FORMS: tuple[tuple[tuple[str, ...], Callable[[Mapping[str, Any], str], list[Claim]]], ...] = (
    (("bomFormat",), boms.cyclonedx),
    (("@graph",), boms.spdx),
    (("task", "measures"), forms.boamps),
    (("form_version", "items"), forms.documentation),
    (("form_version", "score"), forms.scores),
    (("form_version", "scores"), forms.scores),
    (("resourceMetrics",), forms.telemetry),
    (("form_version", "facts"), pages.data),
)
"""Which keys mark which form, and its reader."""


def claims_of(path: Path) -> list[Claim]:
    """What a file claims, one claim a run.

    Args:
        path: a record or a folder with one, a table with a row a run, a card or a form.

    Raises:
        InputError: there is no such file, or it is none of these.
    """
    ending = path.suffix.lower()
    if path.is_dir():
        return [claim_of_record(RunRecord.load(path), str(path))]
    if not path.exists():
        raise InputError(f"expected a file at {path}", "no such file or folder", READABLE)
    if ending == ".csv":
        return _rows(path)
    text = read_text(path, "a record, a table, a page or a form", READABLE)
    if ending == ".json" or text.lstrip()[:1] == "{":
        return _document(path)
    if ending == ".md":
        own = pages.markdown if pages.is_page(text) else card.card
        return [own(text, path.name)]
    if ending in (".html", ".htm") or text.lstrip()[:15].lower() in ("<!doctype html>", "<html>"):
        ours = pages.html(text, path.name)
        return [ours] if _says(ours) else _some([hub_page.page(text, path.name)], path)
    if text.startswith("# TYPE "):
        return _some(pages.openmetrics(text, path.name), path)
    raise InputError("expected a file that can be checked", str(path), READABLE)


def _some(claims: list[Claim], path: Path) -> list[Claim]:
    """Claims, where there is a figure in them.

    Raises:
        InputError: there is none.
    """
    if not any(map(_says, claims)):
        raise InputError("expected a figure that can be checked", f"none in {path}", READABLE)
    return claims


def _says(claim: Claim) -> bool:
    return bool(claim.numbers or claim.problems)


def _document(path: Path) -> list[Claim]:
    """The claims of a JSON file: a form by its keys, else a record."""
    document = read_json(path, "a record or a form", READABLE)
    if isinstance(document, dict):
        for keys, reader in FORMS:
            if all(key in document for key in keys):
                return reader(document, path.name)
    return [claim_of_record(RunRecord.load(path), str(path))]


def _rows(path: Path) -> list[Claim]:
    header, rows = read_table(path, "a table of runs", READABLE)
    if not is_known(header) or not rows:
        raise InputError(
            f"expected a table of runs in {path}",
            "an empty file"
            if not any(header)
            else "no rows"
            if is_known(header)
            else f"columns {', '.join(header[:6])}",
            "columns are those of energy/claims/columns.csv",
        )
    return [
        claim_of_row(row, f"{path.name} {_name_of(row) or f'row {number}'}")
        for number, row in enumerate(rows, start=2)
    ]


def _name_of(row: dict[str, str]) -> str:
    names = ("run_id", "name", "run_name", "project_name")
    return next((text for name in names if (text := row.get(name, ""))), "")
