"""The content of a constants file as types: what may be edited, and must still be numbers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from energy.typed import Amount, Count, Open, Positive, Table, Texts

LogFactor = Annotated[float, Field(ge=-50, le=50)]
"""The logarithm of a factor."""


class Band(Open):
    """Ends of an 80 % band of ln(measured / predicted)."""

    low: LogFactor
    high: LogFactor


class Own(Band):
    """What a user's rows say of a cluster."""

    ln: LogFactor


class Slower(Open):
    """How much slower software of a kind is."""

    ln: LogFactor
    sigma: Amount = 0.0


class NewcomersOfKind(Open):
    """What to expect of publishers that no fit saw, for a kind of model."""

    slower: dict[str, Slower]
    new_publisher: Band
    given_one: Band | None = None
    between: Amount = 0.0
    within: Amount = 0.0


class Newcomers(Open):
    """The same for both kinds."""

    dense: NewcomersOfKind
    moe: NewcomersOfKind
    measured_as: dict[str, str] = Field(default_factory=dict)
    other_kind: dict[str, Amount] = Field(default_factory=dict)
    stated_plans: dict[str, Amount] = Field(default_factory=dict)


class RowsOnChip(Open):
    """Fitted rows by chip."""

    dense: dict[str, Count]
    moe: dict[str, Count]


class Provenance(Open):
    """Where the constants came from."""

    rows: Count = 0
    publishers: Texts = ()
    own_frameworks: Texts = ()
    rows_on_chip: RowsOnChip | None = None
    not_identified: dict[str, str] = Field(default_factory=dict)


class ConstantsFile(Table):
    """The tables of a constants file, without its schema."""

    world: dict[str, Positive]
    deviations: dict[str, dict[str, dict[str, LogFactor]]] = Field(default_factory=dict)
    bands: dict[str, Band] = Field(default_factory=dict)
    provenance: Provenance = Field(default_factory=Provenance)
    newcomers: Newcomers | None = None
    own: dict[str, dict[str, Own]] = Field(default_factory=dict)
