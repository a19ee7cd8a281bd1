"""Types of a scenario's values: numbers with unit, range and band; errors with the nearest key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from energy.errors import InputError, nearest
from energy.quantity import Origin, Quantity

A_NUMBER = "a number, or a table with value, low, high, origin, source"


class Section(BaseModel):
    """A table of a text file: frozen, and no key but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _number(
    unit: str, above: float = 0.0, most: float = float("inf")
) -> Callable[[object], object]:
    """Read a number that stands alone or in a table with its band, origin and source.

    A number alone is an assumption of the file's author. The unit is that of the key.
    """

    def read(value: object) -> object:
        if isinstance(value, Quantity):
            return value
        table = dict(value) if isinstance(value, Mapping) else {"value": value}
        number = table.get("value")
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ValueError(f"expected {A_NUMBER}")
        if not above < number <= most:
            limit = f" and at most {most:g}" if most < float("inf") else ""
            raise ValueError(f"expected more than {above:g}{limit}")
        return {"origin": Origin.ASSUMED, "source": "scenario", **table, "unit": unit}

    return read


def _priced(unit: str) -> Callable[[object], object]:
    """Read a price: as `_number`, or the name of a row of the table of prices."""
    read_number = _number(unit, above=-1e-9)

    def read(value: object) -> object:
        if not isinstance(value, str):
            return read_number(value)
        from energy.facts.prices import price

        try:
            return price(value, unit).price
        except InputError as error:
            raise ValueError(f"{error.expectation} ({error.fix})") from error

    return read


Count = Annotated[Quantity, BeforeValidator(_number("1"))]


Share = Annotated[Quantity, BeforeValidator(_number("1", most=1.0))]


Pue = Annotated[Quantity, BeforeValidator(_number("1", above=0.9999))]


Hours = Annotated[Quantity, BeforeValidator(_number("h"))]


Watts = Annotated[Quantity, BeforeValidator(_number("W"))]


MegawattHours = Annotated[Quantity, BeforeValidator(_number("MWh"))]


Tonnes = Annotated[Quantity, BeforeValidator(_number("t", above=-1e-9))]


GramsPerKwh = Annotated[Quantity, BeforeValidator(_number("g/kWh", above=-1e-9))]


LitersPerKwh = Annotated[Quantity, BeforeValidator(_number("L/kWh", above=-1e-9))]


DollarsPerKwh = Annotated[Quantity, BeforeValidator(_priced("USD/kWh"))]


DollarsPerHour = Annotated[Quantity, BeforeValidator(_priced("USD/h"))]


def explained(error: ValidationError, model: type[BaseModel], where: str) -> InputError:
    """The first problem of a file as expectation, value and fix."""
    # A misspelled key is also a missing one: the misspelling is what the user can see.
    first = min(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")
    steps = [str(step) for step in first["loc"]]
    key = ".".join(steps)
    if first["type"] == "extra_forbidden":
        keys = _keys(model, steps[:-1])
        return InputError(f"expected a known key in {where}", key, nearest(steps[-1], keys))
    if first["type"] == "missing":
        return InputError(f"expected {key} in {where}", "nothing", f"add a line for {steps[-1]}")
    message = first["msg"].removeprefix("Value error, ")
    message = message.replace("Input should be", "expected").lower()
    value = first["input"]
    shown = (
        f"{key} = {value!r}"
        if not isinstance(value, dict | BaseModel)
        else f"[{key or 'its tables'}]"
    )
    return InputError(f"{message} in {where}", shown, "mend that line")


def _keys(model: type[BaseModel], steps: list[str]) -> list[str]:
    """The valid keys of the table that a path of keys leads to."""
    for step in steps:
        model = next(_tables(model.model_fields[step].annotation))
    return [name for name in model.model_fields if not (model is Quantity and name == "unit")]


def _tables(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models inside a field's type, through optional and annotated."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _tables(inner)
