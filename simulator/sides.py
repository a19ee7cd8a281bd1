"""From the names on a command line to runs that can be compared.

A name is a preset, a scenario file, or a record (or its folder). Published inputs are never set
against predictions: when one scenario has no [published] section, all of them are predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from energy.errors import InputError
from energy.record import RunRecord
from simulator import reported
from simulator.compare import Accounting, Side
from simulator.derivation import carbon
from simulator.equal import match
from simulator.scenario import Scenario, load

Basis = Literal["published", "predicted", "recorded"]


def read(names: Sequence[str], overrides: dict[str, Any]) -> list[Scenario | RunRecord]:
    """Each name as the scenario or the record that it stands for."""
    return [_read(name, overrides) for name in names]


def choose_basis(found: Sequence[Scenario | RunRecord], asked: str) -> Basis:
    """What the comparison is computed from.

    Raises:
        InputError: records and scenarios are mixed, or the basis is not one of the three.
    """
    records = sum(isinstance(one, RunRecord) for one in found)
    if records == len(found):
        return "recorded"
    if records:
        raise InputError(
            "expected scenarios or records",
            "both",
            "write records of the scenarios with simulator predict --out",
        )
    if asked == "auto":
        published = all(isinstance(one, Scenario) and one.published for one in found)
        return "published" if published else "predicted"
    if asked not in ("published", "predicted"):
        raise InputError("expected a basis auto, published or predicted", asked)
    return "published" if asked == "published" else "predicted"


def sides(
    found: Sequence[Scenario | RunRecord], basis: Basis, accounting: str | None
) -> list[Side]:
    """The runs to compare, each with the accounting of its CO2; its own where none is named."""
    return [_side(one, basis, accounting) for one in found]


def held_equal(
    found: Sequence[Scenario | RunRecord], basis: Basis, accounting: str | None, what: str
) -> list[Side]:
    """The runs to compare, each as long as it takes to match the first in `what`.

    Raises:
        InputError: a run is a record, whose length is what it was.
    """
    scenarios = [one for one in found if isinstance(one, Scenario)]
    if len(scenarios) != len(found):
        raise InputError("expected scenarios with --equal", "a record", "a record cannot be scaled")
    matched = match(scenarios, sides(scenarios, basis, accounting), what)
    return sides(matched, basis, accounting)


def _read(name: str, overrides: dict[str, Any]) -> Scenario | RunRecord:
    path = Path(name)
    if path.suffix == ".json" or path.is_dir():
        return RunRecord.load(path)
    return load(name, overrides)


def _side(one: Scenario | RunRecord, basis: Basis, accounting: str | None) -> Side:
    if isinstance(one, RunRecord):
        return Side(one, _accounting(accounting, "location"))
    if basis == "published":
        published = reported.require(one)
        record, kind = reported.record(one), _accounting(accounting, published.accounting)
        co2 = carbon(reported.energy(one), published.power_boundary, record, kind)
        return Side(record, kind, (reported.work(one), co2))
    from simulator.predict import predict

    found, kind = predict(one), _accounting(accounting, "location")
    return Side(found.record, kind, found.trees(kind))


def _accounting(asked: str | None, own: Accounting) -> Accounting:
    """The accounting that was asked for, or the run's own.

    Raises:
        InputError: it is neither location, market nor as-published.
    """
    if asked in (None, "as-published"):
        return own
    if asked not in ("location", "market"):
        raise InputError("expected --accounting as-published, location or market", asked)
    return "location" if asked == "location" else "market"
