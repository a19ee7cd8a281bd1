"""Forty wrong records and forms: ours notices every one, and nothing in the right one."""

import pytest

from benchmarks.claims.foreign import VALIDATORS
from benchmarks.claims.mutations import MARK, table, verdicts
from benchmarks.claims.right import STATED, right
from benchmarks.pages import markdown_table, split_at_marks
from energy.claims.check import check
from energy.claims.records import claim_of_record
from energy.disclosure.facts import facts_of
from energy.disclosure.formats import FORMATS, write
from energy.disclosure.readers.files import claims_of
from tests.support import ROOT


def test_the_right_record_is_right_by_everybody(tmp_path):
    record = right()
    assert check(claim_of_record(record, "right")) == []
    for name, validate in VALIDATORS.items():
        assert validate(write(name, facts_of([record], STATED), "x")) is None, name


def test_forty_wrong_ones_are_all_noticed_by_our_rules_and_few_by_the_formats():
    every = verdicts()
    assert len(every) == 40
    assert [verdict.what for verdict in every if not verdict.ours] == []
    theirs = {verdict.what for verdict in every if verdict.foreign}
    assert "cyclonedx: kgCO2eq for tCO2eq" in theirs
    assert "cyclonedx: energy negative" not in theirs
    _, between, _ = split_at_marks(ROOT / "docs/lint.md", MARK)
    again = "run: python -m benchmarks.claims.mutations --write docs/lint.md"
    assert between.strip() == markdown_table(*table(every)).strip(), again


@pytest.mark.parametrize(
    "name", ["eu-mdf", "hf-card", "sci", "sci-ai", "boamps", "spdx", "cyclonedx", "otel", "csv"]
)
def test_what_is_written_of_the_right_record_breaks_no_rule_when_it_is_read(name, tmp_path):
    path = tmp_path / f"right{FORMATS[name].ending}"
    path.write_text(write(name, facts_of([right()], STATED), "x"), encoding="utf-8")
    claims = claims_of(path)
    assert claims
    assert [finding for claim in claims for finding in check(claim)] == []
    assert all(claim.numbers for claim in claims)
