"""A rule: what is looked at, why it matters, and how a claim that breaks it is described."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from energy.claims.claim import Claim


class Severity(StrEnum):
    """How sure a rule is. error: it cannot be true. warning: it is unusual, so look again."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Rule:
    """A named rule.

    Attributes:
        name: as it is printed.
        severity: of what it finds.
        reason: why a claim must pass it, in a sentence with the bound and its source.
        check: yields a message for everything that is wrong with a claim.
    """

    name: str
    severity: Severity
    reason: str
    check: Callable[[Claim], Iterator[str]]


@dataclass(frozen=True)
class Finding:
    """What a rule says of a claim."""

    rule: str
    severity: Severity
    where: str
    message: str

    def as_dict(self) -> dict[str, Any]:
        """The finding as plain data."""
        return {
            "severity": str(self.severity),
            "rule": self.rule,
            "where": self.where,
            "message": self.message,
        }


RULES: dict[str, Rule] = {}
"""All rules by name, in the order in which their modules declare them."""


def rule(name: str, severity: Severity, reason: str) -> Callable[..., Any]:
    """Declare the function below as the check of a rule."""

    def declare(check: Callable[[Claim], Iterator[str]]) -> Callable[[Claim], Iterator[str]]:
        RULES[name] = Rule(name, severity, reason, check)
        return check

    return declare
