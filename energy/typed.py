"""Models of files that users may edit: every value has its type and is a finite number.

What a file gets wrong is an `InputError` that names the place, as all of this project's are.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from energy.errors import InputError

Amount = Annotated[float, Field(ge=0)]
"""A finite number of 0 or more."""

Positive = Annotated[float, Field(gt=0)]
"""A finite number above 0."""

Count = Annotated[int, Field(ge=0)]
"""A whole number of 0 or more."""


Endless = Annotated[float, Field(ge=0, allow_inf_nan=True)]
"""A number of 0 or more that may be infinite: an upper end that nothing limits."""


Texts = Annotated[tuple[str, ...], Field(strict=False)]
"""A list of texts."""

EndlessBand = Annotated[tuple[Endless, Endless], Field(strict=False)]
"""A list of two ends."""


class Table(BaseModel):
    """A table of a file; a key that has no field is an error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def of(cls, value: Any, what: str, fix: str = "") -> Self:
        """The table of a value that was read.

        Args:
            value: as JSON or TOML has it.
            what: it is, for messages: "a calibration in wall.json".
            fix: what to do where it is not.

        Raises:
            InputError: a key is missing or unknown, or a value has another type or no finite size.
        """
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise InputError(f"expected {what}", first_error(error), fix) from error


class Open(Table):
    """A table that may have other keys too, which are kept as they are; its numbers are finite."""

    model_config = ConfigDict(extra="allow")

    @model_validator(mode="after")
    def _finite(self) -> Self:
        values = list((self.model_extra or {}).items())
        while values:
            name, value = values.pop()
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name} should be a finite number")
            inner = value.values() if isinstance(value, dict) else value
            if isinstance(value, dict | list):
                values += [(name, item) for item in inner]
        return self


def first_error(error: ValidationError, whole: str = "the file") -> str:
    """The first error of a validation: its place and what is wrong, with the value."""
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"]) or whole
    value = repr(first["input"])
    shown = f" ({value})" if len(value) <= 40 and first["type"] != "missing" else ""
    return f"{where}: {first['msg'].lower()}{shown}"
