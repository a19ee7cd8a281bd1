"""The fields of a configuration, and which of them were used, do not matter, or are not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from energy.configurations.irrelevant import IRRELEVANT
from energy.errors import InputError, nearest
from energy.inputs import is_number, shown

NOTED = {
    "quantization_config": "weights are stored quantized: parameters and FLOP are those of the "
    "unquantized model",
    "compression_config": "weights are stored compressed: parameters and FLOP are those of the "
    "unquantized model",
}
"""Fields that change what is stored and not what is counted."""


UNCOUNTED = {
    "use_cla": "attention with the keys and values of another layer",
    "use_bidirectional_attention": "attention in both directions",
    "add_bias_linear": "biases of a kind of its own",
    "use_bias_attention": "biases of a kind of its own",
}
"""Fields that change a model in a way that a shape does not have, where they are set."""


MOST_SIZE = 10**12
"""The largest width, vocabulary or number that is read."""


class RefusedError(InputError):
    """A configuration cannot be counted because of some of its fields.

    Args:
        names: of those fields.
        expectation: what a good field looks like.
        value: what came instead.
        fix: what the user can do about it.
    """

    def __init__(self, names: Sequence[str], expectation: str, value: str, fix: str = "") -> None:
        super().__init__(expectation, value, fix)
        self.names = tuple(names)


class Fields:
    """A configuration that remembers which of its fields were read.

    Args:
        values: of the configuration.
        where: where it came from, for messages.
        within: name of the field that holds it, for a table inside another.
    """

    def __init__(self, values: Mapping[str, Any], where: str, within: str = "") -> None:
        self.values, self.where, self.within = values, where, within
        self._used: set[str] = set()
        self._tables: dict[str, Fields] = {}

    def get(self, *names: str) -> Any:
        """The value of the first of several names for one thing; None where none is there.

        Raises:
            InputError: two of the names have different values.
        """
        self._used.update(names)
        there = {name: self.values[name] for name in names if self.values.get(name) is not None}
        first = next(iter(there), None)
        for name, value in there.items():
            if _same(value) != _same(there[first or name]):
                raise RefusedError(
                    [name],
                    f"expected {name} to be {first} in {self.where}",
                    f"{shown(value)} and {shown(there[first or name])}",
                    "correct one of the two",
                )
        return there[first] if first else None

    def size(
        self, *names: str, default: float | None = None, least: int = 0, most: int = MOST_SIZE
    ) -> int:
        """A whole number; a list of one number for each layer must be of equal ones.

        Args:
            names: for one thing, the first that is there is read.
            default: where none is there.
            least: smallest value.
            most: largest value; beyond all that was ever built it is a slip.

        Raises:
            InputError: it is absent and has no default, or it is no such number.
        """
        value = _same(self.get(*names))
        if value is None:
            if default is None:
                raise RefusedError(
                    [self._named(names[0])],
                    f"expected {self._named(names[0])} in {self.where}",
                    "nothing",
                    "add the field: without it the model cannot be counted",
                )
            return int(default)
        if not is_number(value, least, most) or value != int(value):
            whole = f"a whole number of {least} to {most:,}, the same in every layer"
            name = next(name for name in names if name in self.values)
            raise RefusedError([name], f"expected {self._named(name)} to be {whole}", shown(value))
        return int(value)

    def flag(self, *names: str, default: bool = False) -> bool:
        """Whether something is so."""
        value = self.get(*names)
        if value is not None and not isinstance(value, bool):
            raise RefusedError(
                names[:1], f"expected {self._named(names[0])} to be true or false", shown(value)
            )
        return default if value is None else bool(value)

    def list_of(self, *names: str, length: int | None = None) -> list[Any] | None:
        """A list, with one entry a layer where a length is named; None where there is none."""
        value = self.get(*names)
        if value is None:
            return None
        name = self._named(names[0])
        if not isinstance(value, list):
            raise RefusedError([name], f"expected {name} to be a list", shown(value))
        if length is not None and len(value) != length:
            raise RefusedError(
                [name],
                f"expected {name} to have one entry for each of {length} layers",
                f"{len(value)}",
            )
        return value

    def table(self, *names: str) -> Fields | None:
        """A table inside the configuration; None where there is none."""
        value = self.get(*names)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise RefusedError(
                names[:1], f"expected {self._named(names[0])} to be a table", shown(value)
            )
        return self._tables.setdefault(names[0], Fields(value, self.where, names[0]))

    def has(self, name: str) -> bool:
        """Whether a field is there and not null; it does not count as used by this."""
        return self.values.get(name) is not None

    def unused(self) -> list[str]:
        """Fields that nothing read and that are not known to be irrelevant."""
        own = [
            self._named(name)
            for name in self.values
            if name not in self._used and name not in IRRELEVANT and name not in NOTED
        ]
        return own + [name for table in self._tables.values() for name in table.unused()]

    def require_all_used(self) -> None:
        """Refuse fields that are not known: what they do to the model cannot be said.

        Raises:
            InputError: there are some, or one asks for what no shape has.
        """
        for name, what in UNCOUNTED.items():
            if self.get(name):
                raise RefusedError(
                    [name],
                    f"expected {self._named(name)} to be unset in {self.where}",
                    shown(self.values[name]),
                    f"{what} cannot be counted yet",
                )
        if unused := self.unused():
            likely = nearest(unused[0].split(".")[-1], sorted(self._used))
            raise RefusedError(
                unused,
                f"expected fields that this family is known by in {self.where}",
                ", ".join(unused),
                f"{likely}; or remove it from a copy if it changes neither sizes nor layers",
            )

    def _named(self, name: str) -> str:
        return f"{self.within}.{name}" if self.within else name


def _same(value: Any) -> Any:
    """A list of equal entries as one of them."""
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return value[0] if all(entry == value[0] for entry in value) else value
    return value
