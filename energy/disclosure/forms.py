"""Forms as data: which fact stands where, in which unit, and what is missing.

`mappings/NAME.toml` has the version of the form, the day it was read and its source, and a line a
field. Everything that writes or reads a form goes through it, so that a new version of a form is a
change of data.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from energy.disclosure.eu_mdf import rounded, size_bucket, time_bucket
from energy.disclosure.facts import Facts
from energy.disclosure.stated import statable
from energy.errors import MissingDataError
from energy.quantity import Quantity

UNITS = {
    "1": ("1", 1.0),
    "B": ("1", 1e9),
    "FLOP": ("FLOP", 1.0),
    "J": ("J", 1.0),
    "Wh": ("J", 3.6e3),
    "kWh": ("J", 3.6e6),
    "MWh": ("J", 3.6e9),
    "MJ": ("J", 1e6),
    "g": ("g", 1.0),
    "kg": ("g", 1e3),
    "t": ("g", 1e6),
    "s": ("s", 1.0),
    "h": ("s", 3600.0),
    "d": ("s", 86_400.0),
    "g/kWh": ("g/kWh", 1.0),
    "L": ("L", 1.0),
    "L/kWh": ("L/kWh", 1.0),
}
"""Units of forms: the unit that facts have, and how many of it one of the form is."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a form.

    Attributes:
        path: where it stands: names of tables and numbers of list items, with points between.
        title: for people.
        fact: the fact that it holds; empty for a constant.
        constant: what it holds whatever the run.
        unit: of the form; empty for a word.
        digits: significant digits to which it is rounded; 0 for none.
        form: number, size bucket, time bucket or order of magnitude.
        required: whether the form is refused without it.
        needs: another fact without which the field stays empty.
        recipients: who gets it.
        supply: the option that supplies it, where it is not `--set`.
    """

    path: str
    title: str = ""
    fact: str = ""
    constant: Any = None
    unit: str = ""
    digits: int = 0
    form: str = "number"
    required: bool = False
    needs: str = ""
    recipients: tuple[str, ...] = ()
    supply: str = ""

    def value(self, quantity: Quantity) -> Any:
        """A quantity as this field holds it."""
        number = quantity.numbers()[0]
        if self.form == "size bucket":
            return size_bucket(number)
        if self.form == "time bucket":
            return time_bucket(number)
        number /= UNITS[self.unit][1]
        if self.form == "order of magnitude":
            return float(f"1{f'{number:e}'[f'{number:e}'.index('e') :]}")
        return rounded(number, self.digits) if self.digits else number


@dataclass(frozen=True)
class Form:
    """A form.

    Attributes:
        name: of the format.
        title: for people.
        form_version: version of the form that the mapping is of.
        as_of: day on which the form was read.
        source: where.
        note: what to know of it.
        fields: in the order of the form.
        columns: of a table, in the order of its maker.
    """

    name: str
    title: str
    form_version: str
    as_of: str
    source: str
    note: str
    fields: tuple[Field, ...]
    columns: tuple[str, ...] = ()

    def heading(self) -> dict[str, str]:
        """What every document of this form begins with."""
        return {
            "form": self.title,
            "form_version": self.form_version,
            "as_of": self.as_of,
            "source": self.source,
        }


@cache
def form(name: str) -> Form:
    """A form by the name of its format."""
    text = files("energy.disclosure.mappings").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    fields = tuple(
        Field(**{**line, "recipients": tuple(line.get("recipients", ()))})
        for line in data.pop("field", [])
    )
    columns = tuple(data.pop("columns", ()))
    return Form(name=name, fields=fields, columns=columns, **data)


def require(form: Form, facts: Facts, record: str) -> None:
    """Refuse a form whose required fields are not all known.

    Args:
        form: the form.
        facts: what is known.
        record: how the record is named in the command that supplies what is missing.

    Raises:
        MissingDataError: fields are missing; each is named with the option that supplies it.
    """
    gaps = [f for f in form.fields if f.required and f.fact and not _is_known(f, facts)]
    if not gaps:
        return
    names = dict.fromkeys(_titled(gap) for gap in gaps)
    options = dict.fromkeys(supply(gap, facts) for gap in gaps)
    commands = [option for option in options if option.startswith("--")]
    others = [option for option in options if not option.startswith("--")]
    again = f"energy report {record} --format {form.name} {' '.join(commands)}"
    raise MissingDataError(
        f"expected {', '.join(names)} for {form.title}",
        "none: a missing field is not filled",
        "; ".join([*others, again] if commands else others),
    )


def _titled(field: Field) -> str:
    title = field.title or field.path
    return field.fact if title == field.fact else f"{title} ({field.fact})"


def _is_known(field: Field, facts: Facts) -> bool:
    return facts.has(field.fact) and (not field.needs or facts.has(field.needs))


def supply(field: Field, facts: Facts) -> str:
    """The option, or the command, that supplies a fact that is missing."""
    if field.supply:
        return field.supply
    if field.fact in statable():
        choices = statable()[field.fact].choices
        if statable()[field.fact].unit == "g":
            return f"--set '{field.fact}=NUMBER kg'"
        return f"--set {field.fact}={'|'.join(choices) or field.fact.upper()}"
    reason = facts.absent.get(field.fact)
    return f"{field.fact}: {reason or 'not in the record'}; meter or predict the run again"


def filled(form: Form, facts: Facts) -> Iterator[tuple[Field, Any]]:
    """The fields that have a value, with it, in the order of the form."""
    for field in form.fields:
        if field.constant is not None:
            yield field, field.constant
        elif not _is_known(field, facts):
            continue
        elif field.fact in facts.quantities:
            yield field, field.value(facts.quantities[field.fact])
        else:
            yield field, facts.words[field.fact]


def document(form: Form, facts: Facts) -> dict[str, Any]:
    """A form as nested tables and lists."""
    return nested((field.path, value) for field, value in filled(form, facts))


def nested(values: Iterator[tuple[str, Any]] | Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Values by their paths as tables and lists: "measures.0.unit" is in a list."""
    root: dict[str, Any] = {}
    for path, value in values:
        names = path.split(".")
        here: Any = root
        for name, below in itertools.pairwise(names):
            here = _step(here, name, [] if below.isdigit() else {})
        here[names[-1]] = value
    return root


def _step(here: Any, name: str, empty: Any) -> Any:
    if isinstance(here, dict):
        return here.setdefault(name, empty)
    while len(here) <= int(name):
        here.append(type(empty)())
    return here[int(name)]


def at(document: Any, path: str) -> Any:
    """What stands at a path of a document; None where nothing does."""
    for name in path.split("."):
        if isinstance(document, Mapping):
            document = document.get(name)
        elif isinstance(document, list) and name.isdigit() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def items(document: Any, path: str) -> list[Any]:
    """The list at a path of a document; empty where there is none."""
    listed = at(document, path)
    return listed if isinstance(listed, list) else []


def read_back(form: Form, document: Any) -> dict[str, float]:
    """The numbers of a document of this form, by fact and in SI; buckets are left out."""
    numbers = {}
    for field in form.fields:
        value = at(document, field.path)
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        if field.fact and field.unit and field.form == "number" and plain:
            numbers[field.fact] = float(value) * UNITS[field.unit][1]
    return numbers
