"""Types of a scenario's values: numbers with unit, range and band; errors with the nearest key."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from energy.errors import InputError, nearest
from energy.quantity import Origin, Quantity
from energy.units import parsed_count

Reader = Callable[[object], object]
"""Turns what a file says into what a field holds."""


class RequirementError(ValueError):
    """What a validator expects of a value; the message is completed with the key of the value.

    Args:
        requirement: how "expected KEY" goes on: "above 0", "as a number".
        value: what came instead; by default the value itself.
        fix: what the user can do about it.
    """

    def __init__(self, requirement: str, value: str | None = None, fix: str = "") -> None:
        super().__init__(requirement)
        self.requirement, self.value, self.fix = requirement, value, fix


class Section(BaseModel):
    """A table of a text file: frozen, and no key but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _number(unit: str, least: float | None = None, most: float = math.inf) -> Reader:
    """Read a number that stands alone or in a table with its band, origin and source.

    A number alone is an assumption of the file's author. The unit is that of the key.

    Args:
        unit: of the key.
        least: the least value; without it, any above 0.
        most: the greatest value.
    """
    range_text = "above 0" if least is None else f"of {least:g} or more"
    if most < math.inf:
        range_text += f" and at most {most:g}"

    def read(value: object) -> object:
        if isinstance(value, Quantity):
            return value
        table = dict(value) if isinstance(value, Mapping) else {"value": value}
        number = table.get("value")
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise RequirementError("as a number, or a table with value, low, high, origin, source")
        if not (number > 0 if least is None else number >= least) or number > most:
            raise RequirementError(range_text)
        return {"origin": Origin.ASSUMED, "source": "scenario", **table, "unit": unit}

    return read


def _priced(unit: str) -> Reader:
    """Read a price: as `_number`, or the name of a row of the table of prices."""
    read_number = _number(unit, least=0)

    def read(value: object) -> object:
        if not isinstance(value, str):
            return read_number(value)
        from energy.facts.prices import price

        try:
            return price(value, unit).price
        except InputError as error:
            requirement = f"as a number, or a row of simulator prices in {unit}"
            raise RequirementError(requirement, error.value, error.fix) from error

    return read


def _tokens(value: object) -> object:
    """Tokens as the field writes them, 15T or 300B; a number stays as it is."""
    if not isinstance(value, str):
        return value
    try:
        return parsed_count(value)
    except ValueError:
        raise RequirementError("as a number", fix="such as 15T, 300B or 1e12") from None


Tokens = Annotated[float, BeforeValidator(_tokens)]


Count = Annotated[Quantity, BeforeValidator(_number("1"))]


Share = Annotated[Quantity, BeforeValidator(_number("1", most=1.0))]


Pue = Annotated[Quantity, BeforeValidator(_number("1", least=1))]


Hours = Annotated[Quantity, BeforeValidator(_number("h"))]


Watts = Annotated[Quantity, BeforeValidator(_number("W"))]


MegawattHours = Annotated[Quantity, BeforeValidator(_number("MWh"))]


Tonnes = Annotated[Quantity, BeforeValidator(_number("t", least=0))]


GramsPerKwh = Annotated[Quantity, BeforeValidator(_number("g/kWh", least=0))]


LitersPerKwh = Annotated[Quantity, BeforeValidator(_number("L/kWh", least=0))]


DollarsPerKwh = Annotated[Quantity, BeforeValidator(_priced("USD/kWh"))]


DollarsPerHour = Annotated[Quantity, BeforeValidator(_priced("USD/h"))]


_REQUIREMENTS = {
    "greater_than": "above {gt:g}",
    "greater_than_equal": "of {ge:g} or more",
    "less_than_equal": "of {le:g} or less",
    "finite_number": "as a finite number",
    "literal_error": "as {expected}",
    "enum": "as {expected}",
    "string_type": "as text",
    "string_too_short": "as text that is not empty",
    "float_type": "as a number",
    "float_parsing": "as a number",
    "int_type": "as a whole number",
    "int_parsing": "as a whole number",
    "int_from_float": "as a whole number",
    "bool_type": "as true or false",
    "dict_type": "as a table",
    "model_type": "as a table",
}
"""How "expected KEY" goes on, by the kind of pydantic's error, with the fields of its context."""


def explained(
    error: ValidationError, model: type[BaseModel], where: str, overrides: Container[str] = ()
) -> InputError:
    """The first problem of some tables as expectation, value and fix.

    Args:
        error: all problems.
        model: what the tables were to be.
        where: where they came from, such as the path of a file.
        overrides: keys whose values did not come from there.
    """
    # A misspelt key is also a missing one: the misspelling is what the user can see.
    first = min(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")
    steps = [str(step) for step in first["loc"]]
    key, kind, context = ".".join(steps), first["type"], first.get("ctx", {})
    place = "" if key in overrides else f" in {where}"
    if kind == "extra_forbidden":
        keys = _keys(model, steps[:-1])
        return InputError(f"expected a known key{place}", key, nearest(steps[-1], keys))
    if kind == "missing":
        is_table = next(_tables(_field(model, steps)), Quantity) is not Quantity
        return InputError(
            f"expected {key}{place}",
            "nothing",
            f"add the table [{key}]" if is_table else f"add a line for {steps[-1]}",
        )
    failed = context.get("error")
    if isinstance(failed, RequirementError):
        value = _shown(first["input"]) if failed.value is None else failed.value
        expectation = " ".join(("expected", key, failed.requirement)).replace("  ", " ")
        return InputError(f"{expectation}{place}", value, failed.fix)
    if kind in _REQUIREMENTS:
        requirement = _REQUIREMENTS[kind].format(**context)
        return InputError(f"expected {key} {requirement}{place}", _shown(first["input"]))
    return InputError(f"expected a valid {key}{place}", first["msg"].split(", ", 1)[-1])


def _shown(value: object) -> str:
    """A value as the user wrote it, or what it is."""
    return "a table" if isinstance(value, Mapping | BaseModel) else repr(value)


def _field(model: type[BaseModel], steps: list[str]) -> Any:
    """The type of the field that a path of keys leads to."""
    for step in steps[:-1]:
        model = next(_tables(model.model_fields[step].annotation))
    return model.model_fields[steps[-1]].annotation


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
