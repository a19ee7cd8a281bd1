"""What a person states beside a record: which facts may be, and how they are written."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files

from energy.errors import InputError, nearest, require_choice
from energy.quantity import Origin, Quantity
from energy.units import parsed_count

DAYS = ("begin", "end")
"""Words that are days."""

MASSES = {"t": 1e6, "kg": 1e3, "g": 1.0}

STATED = "stated by the author"
"""Source of a figure that no record has."""


@dataclass(frozen=True)
class Statable:
    """A fact that a person may state.

    Attributes:
        unit: SI, or text.
        choices: words that it may be; empty for any.
        meaning: what it is.
    """

    unit: str
    choices: tuple[str, ...]
    meaning: str


@cache
def statable() -> dict[str, Statable]:
    """The facts that may be stated, by name."""
    table = files("energy.disclosure").joinpath("stated.csv").read_text(encoding="utf-8")
    return {
        row["fact"]: Statable(
            row["unit"],
            () if row["choices"] == "any" else tuple(row["choices"].split("|")),
            row["meaning"],
        )
        for row in csv.DictReader(table.splitlines())
    }


def unit_of(name: str) -> str:
    """The unit of a fact that may be stated.

    Raises:
        InputError: there is none of that name.
    """
    if name not in statable():
        raise InputError("expected a fact that can be stated", name, nearest(name, statable()))
    return statable()[name].unit


def word(name: str, text: str) -> str:
    """A stated word.

    Raises:
        InputError: it is empty, no day where one is needed, or none of its choices.
    """
    if not text.strip():
        raise InputError(f"expected a word for {name}", "nothing", statable()[name].meaning)
    if name in DAYS:
        try:
            datetime.fromisoformat(text)
        except ValueError as error:
            raise InputError(f"expected {name} as a day", text, "such as 2026-05-01") from error
    if statable()[name].choices:
        require_choice(name, text, statable()[name].choices)
    return text


def number_of(name: str, text: str) -> Quantity:
    """A stated number: 7B, 1.5e12, 12 t.

    Raises:
        InputError: it is none, has no unit where one is needed, or is not above zero.
    """
    unit = statable()[name].unit
    number, suffix = text.strip(), ""
    if unit == "g":  # "12 t" and "12t"; a mass without a unit is refused
        suffix = next((mass for mass in MASSES if number.endswith(mass)), "")
        number = number.removesuffix(suffix).strip()
        number = "" if number[-1:].isalpha() or not suffix else number
    try:
        value = parsed_count(number) * MASSES.get(suffix, 1.0)
    except ValueError:
        value = math.nan
    # Nothing is emitted of some things, but no run has 0 tokens: ratios to it would be infinite.
    if not 0 <= value < 1e40 or (value == 0 and unit != "g"):
        example = "40 g, 3 kg or 12 t" if unit == "g" else "7B, 1.5e12 or 0.4"
        form = "a mass with its unit" if unit == "g" else "a number above zero"
        raise InputError(f"expected {name} as {form}", text, f"such as {example}")
    return Quantity.exact(value, unit, STATED, Origin.ASSUMED)


def words_of_options(pairs: Iterable[str]) -> dict[str, str]:
    """The facts of `--set NAME=VALUE`, in the order they were stated.

    Raises:
        InputError: a pair has no "=".
    """
    stated = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise InputError("expected --set NAME=VALUE", pair, "such as --set operator=ACME")
        unit_of(name.strip())
        stated[name.strip()] = text.strip()
    return stated
