"""From records to a document: read, moved to a site, checked, written."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from energy.claims.check import check, errors
from energy.claims.claim import NUMBERS, Claim
from energy.claims.records import claim_of_record
from energy.claims.rule import RULES, Finding
from energy.disclosure.facts import Facts, facts_of
from energy.disclosure.formats import FORMATS, write
from energy.disclosure.stated import DAYS, STATED, words_of_options
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
    _require_different(records, runs)
    facts = facts_of(records, words)
    said = {remark[remark.rindex("[") :] for remark in remarks}
    remarks += [r for r in _remarks_on_stated(facts, despite) if r[r.rindex("[") :] not in said]
    return write(name, facts, shlex.join(map(str, runs)), **options), remarks


def _require_different(records: Sequence[RunRecord], paths: Sequence[Path]) -> None:
    """Refuse a record that is there twice: stages of one model add up, and it would count twice."""
    for number, record in enumerate(records):
        if record in records[:number]:
            raise InputError(
                "expected each record once, for they add up",
                f"{paths[number]}, which is also {paths[records.index(record)]}",
                "name it once",
            )


def _remarks_on_stated(facts: Facts, despite: Sequence[str]) -> list[str]:
    """What the rules remark on figures that a person stated beside those of the records."""
    names = [name for name, known in facts.quantities.items() if known.source == STATED]
    days = {name: facts.words[name] for name in DAYS if name in facts.words}
    names += days
    if not names:
        return []
    where = ", ".join(names)
    own = {"model_flop": "flop", "co2_location_g": "co2_g"}
    numbers = {own.get(name, name): facts.number(name) for name in facts.quantities}
    numbers = {name: value for name, value in numbers.items() if name in NUMBERS}
    energy = facts.quantities.get("energy_j")
    words = {"record": str(facts.records[-1].kind)}
    words |= {"chip": facts.words.get("chip", ""), "boundary": facts.boundary or ""}
    words |= days | {"basis": str(energy.origin)} if energy else {}
    findings = check(Claim(where, numbers, words))
    expectation = f"expected stated figures ({where}) that can be true beside the record"
    return _passed(findings, expectation, "state another with --set", despite)


def _checked(record: RunRecord, path: Path, despite: Sequence[str]) -> list[str]:
    """What the rules remark on a record; an error refuses it."""
    findings = check(claim_of_record(record, str(path)))
    return _passed(
        findings,
        f"expected a record that can be true at {path}",
        f"see energy lint {shlex.quote(str(path))}",
        despite,
    )


def _passed(
    findings: Sequence[Finding], expectation: str, fix: str, despite: Sequence[str]
) -> list[str]:
    """Findings as remarks.

    Raises:
        InputError: one is an error of a rule that is not set aside.
    """
    wrong = [finding for finding in errors(findings) if finding.rule not in despite]
    if wrong:
        first = wrong[0]
        raise InputError(
            expectation,
            f"{first.message} [{first.rule}]",
            f"{fix}; where it is true all the same: --despite {first.rule}",
        )
    return [f"{f.where}: {f.severity}: {f.message} [{f.rule}]" for f in findings]
