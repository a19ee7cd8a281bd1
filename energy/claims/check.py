"""All rules on a claim."""

from __future__ import annotations

from collections.abc import Iterable

from energy.claims import rules_carbon, rules_compute, rules_numbers, rules_power
from energy.claims.claim import Claim
from energy.claims.rule import RULES, Finding, Severity

DECLARED_IN = (rules_numbers, rules_power, rules_compute, rules_carbon)
"""Importing these modules declares their rules."""


def check(claim: Claim) -> list[Finding]:
    """What the rules find in a claim, in their order.

    GPT-3 with 1,287,000 MWh instead of kWh: watts-per-chip, joules-per-flop, carbon-per-kwh.
    """
    return [
        Finding(rule.name, rule.severity, claim.where, message)
        for rule in RULES.values()
        for message in (*rule.check(claim), *_noticed(claim, rule.name))
    ]


def _noticed(claim: Claim, rule: str) -> list[str]:
    """What a reader noticed under a rule."""
    return [problem.message for problem in claim.problems if problem.rule == rule]


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that cannot be true."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]
