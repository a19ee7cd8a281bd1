"""A gate: a measured figure and the limit that it must keep to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Gate:
    """One measured figure with its limit.

    Attributes:
        name: what was measured, in words.
        value: the figure.
        limit: the figure must not exceed it; None for a figure that is reported without a limit.
        at_least: the limit is a lower one: the figure must not fall below it.
        rows: number of rows or runs behind the figure; None where there is nothing to count.
        form: what the figure is: a share (printed in percent), a ratio or a count.
    """

    name: str
    value: float
    limit: float | None
    at_least: bool = False
    rows: int | None = None
    form: Literal["share", "ratio", "count"] = "share"

    @property
    def met(self) -> bool | None:
        """Whether the figure keeps to its limit; None without a limit."""
        if self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def verdict(self) -> str:
        """The last cell of a row: yes, no, or nothing without a limit."""
        return {True: "yes", False: "no", None: ""}[self.met]

    def target(self, number: Callable[[float], str]) -> str:
        """The limit in words, "at most 10%"; empty without a limit.

        Args:
            number: formats the limit.
        """
        if self.limit is None:
            return ""
        return f"{'at least' if self.at_least else 'at most'} {number(self.limit)}"

    def as_json(self) -> dict[str, Any]:
        """The figure, its limit and whether it is met, for `--json`."""
        return vars(self) | {"met": self.met}
