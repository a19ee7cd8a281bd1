"""From records to a document: read, moved to a site, checked, written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from energy.claims.check import check, errors
from energy.claims.records import claim_of_record
from energy.claims.rule import RULES
from energy.disclosure.facts import facts_of, words_of_options
from energy.disclosure.formats import FORMATS, write
from energy.disclosure.writers.cyclonedx import VERSIONS
from energy.errors import InputError, require_choice
from energy.footprint.apply import moved
from energy.record import RunRecord


def disclosed(
    runs: Sequence[Path],
    name: str,
    *,
    stated: Sequence[str] = (),
    zone: str | None = None,
    pue: float | None = None,
    spec_version: str | None = None,
    despite: Sequence[str] = (),
) -> tuple[str, list[str]]:
    """The document of some records in a format, and remarks on them.

    Args:
        runs: records or their folders, the original before its modifications.
        name: of the format.
        stated: facts that no record has, as NAME=VALUE.
        zone: grid zone in the place of the records' own.
        pue: in the place of the records' own.
        spec_version: of CycloneDX.
        despite: rules of `energy lint` whose errors are set aside.

    Raises:
        InputError: a record cannot be true, or an option is wrong.
        MissingDataError: a required field is missing.
    """
    require_choice("--format", name, FORMATS)
    words = words_of_options(stated)
    for rule in despite:
        require_choice("--despite", rule, RULES)
    options = {}
    if spec_version is not None:
        if name != "cyclonedx":
            raise InputError("expected --spec with --format cyclonedx", name)
        require_choice("--spec", spec_version, VERSIONS)
        options = {"spec_version": spec_version}
    records = [moved(RunRecord.load(path), zone, pue) for path in runs]
    remarks = [
        remark
        for r, path in zip(records, runs, strict=True)
        for remark in _checked(r, path, despite)
    ]
    where = " ".join(map(str, runs))
    return write(name, facts_of(records, words), where, **options), remarks


def _checked(record: RunRecord, path: Path, despite: Sequence[str]) -> list[str]:
    """What the rules remark on a record; an error refuses it."""
    findings = check(claim_of_record(record, str(path)))
    wrong = [finding for finding in errors(findings) if finding.rule not in despite]
    if wrong:
        first = wrong[0]
        raise InputError(
            f"expected a record that can be true at {path}",
            f"{first.message} [{first.rule}]",
            f"see energy lint {path}; where it is true all the same: --despite {first.rule}",
        )
    return [f"{f.where}: {f.severity}: {f.message} [{f.rule}]" for f in findings]
