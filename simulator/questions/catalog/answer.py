"""Rows of the catalog, each with its source: the answers of `models`, `chips` and `prices`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from energy import shape
from energy.configurations.fields import RefusedError
from energy.configurations.read import Configuration, model_name, read
from energy.errors import MissingDataError
from energy.facts import catalog
from energy.facts import prices as price_list
from energy.facts.catalog import Chip
from energy.facts.model_rows import Model
from energy.facts.prices import Price
from energy.shape import ACTIVE_CONVENTION, ActiveConvention, Shape
from energy.units import count
from simulator.kit.answer import Answer

Row = TypeVar("Row")


@dataclass(frozen=True, repr=False)
class Catalog(Answer, Generic[Row]):
    """Rows of a table of facts."""

    rows: tuple[Row, ...]

    @property
    def headline(self) -> str:
        """How many rows there are."""
        return f"{len(self.rows)} rows"

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of a panel with a bar for each row."""
        return 7.0, 1.2 + 0.22 * len(self.rows)


class Models(Catalog[Model]):
    """Models with their shapes and their published figures."""

    @property
    def title(self) -> str:
        """How many models, and from which size to which."""
        sizes = sorted((parameters(row.shape)[0], row.name) for row in self.rows)
        (least, small), (most, large) = sizes[0], sizes[-1]
        ends = f"{small} with {count(least)} to {large} with {count(most)} parameters"
        return f"{len(sizes)} models, from {ends}"


@dataclass(frozen=True, repr=False)
class Configured(Answer):
    """A model's own configuration, counted.

    Attributes:
        name: of the model.
        configuration: what it says; None where it was refused.
        error: why it was refused, with the names of the fields.
    """

    view = "configured"

    name: str
    configuration: Configuration | None
    error: RefusedError | None = None


class Chips(Catalog[Chip]):
    """Chips with their peaks, memory and watts."""

    @property
    def title(self) -> str:
        """How many chips, and which has the highest peak."""
        peaks = {row.id: row.peak_bf16_flop_per_s or row.peak_fp16_flop_per_s for row in self.rows}
        known = {name: peak for name, peak in peaks.items() if peak is not None}
        if not known:
            return f"{len(peaks)} chips, none with a known peak"
        best = max(known, key=lambda name: known[name])
        return f"{len(peaks)} chips; {best} has the highest peak, {known[best] / 1e12:,.0f} TFLOP/s"


class Prices(Catalog[Price]):
    """Dated prices of chip-hours and of electricity."""

    @property
    def title(self) -> str:
        """How many prices, each of several offers."""
        return f"{len(self.rows)} prices, each from its cheapest to its dearest offer"


def models(*names: str) -> Models:
    """Models of the catalog.

    Args:
        names: of models; all without one.

    Raises:
        InputError: a name is not in the catalog.
    """
    return Models(tuple(map(catalog.model, names)) or catalog.models())


def configured(path: str) -> Configured:
    """A configuration (config.json, or the folder that has one), counted or refused."""
    try:
        return Configured(model_name(path), read(Path(path)))
    except RefusedError as error:
        return Configured(model_name(path), None, error)


def chips(*names: str) -> Chips:
    """Chips of the catalog.

    Args:
        names: ids or aliases; all chips without one.

    Raises:
        InputError: a name is not in the catalog.
    """
    return Chips(tuple(map(catalog.chip, names)) or catalog.chips())


def prices(*words: str) -> Prices:
    """Prices of chip-hours and of electricity.

    Args:
        words: parts of a row's name, or price books; all shipped prices without one.

    Raises:
        InputError: a price book is not there or not valid.
        MissingDataError: no row has one of the words in its name.
    """
    books = tuple(row for word in words if ".toml" in word for row in price_list.priced(word))
    words = tuple(word for word in words if ".toml" not in word)
    if books and not words:
        return Prices(books)
    rows = tuple(
        row
        for row in price_list.prices()
        if not words or any(word.lower() in row.id for word in words)
    )
    if not rows:
        raise MissingDataError("expected a price", ", ".join(words), "list them: simulator prices")
    return Prices(books + rows)


def parameters(of: Shape, convention: ActiveConvention = ACTIVE_CONVENTION) -> tuple[float, float]:
    """All parameters of a shape and those that a token passes through.

    Args:
        of: the shape.
        convention: which embedding matrices count as active.
    """
    total = shape.total(shape.parameters(of))
    return float(total), float(shape.total(shape.active_parameters(of, convention)))
