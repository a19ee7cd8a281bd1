"""Facts as rows: chips and models, each with source, year and status.

The rows stand in `energy/facts/data/*.csv`; this file reads and checks them and finds one by name
or alias. A cell that nobody published says `unknown` and is None here; a name that is not there is
an error with the nearest names, never a guess.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar, get_type_hints

from energy.errors import InputError, MissingDataError, nearest
from energy.quantity import Boundary
from energy.shape import Shape

STATUSES = ("confirmed", "mixed", "unconfirmed", "assumed")
"""Read at the source; some cells from memory (named in the row); all from memory; our choice."""


Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Chip:
    """A device, a node or a memory, from `chips.csv`. SI units; None is unknown.

    Attributes:
        id: name of the row.
        aliases: other spellings that find it.
        name: as its maker writes it.
        vendor: who makes it.
        kind: gpu, tpu, cpu, node or memory.
        architecture: generation whose chips reach like shares of their peaks.
        year: of its introduction.
        peak_bf16_flop_per_s: dense peak; the other peaks likewise, never with sparsity.
        peak_fp16_flop_per_s: dense peak.
        peak_tf32_flop_per_s: dense peak.
        peak_fp32_flop_per_s: dense peak.
        peak_fp8_flop_per_s: dense peak.
        peak_int8_op_per_s: dense peak.
        peak_fp4_flop_per_s: dense peak.
        measured_matmul_bf16_flop_per_s: the best matrix product that somebody measured.
        memory_bytes: of its own memory.
        memory_bytes_per_s: bandwidth of that memory.
        link: kind of the fast link between chips.
        link_bytes_per_s: of that link, all lanes of a chip, one direction.
        link_domain_chips: chips that the fast link joins.
        link_axes: axes of a torus; 0 is a switch.
        network_bytes_per_s: of a chip's share of the network of its usual node, one direction.
        tdp_w: design power; `tdp_term` says what its maker calls it.
        tdp_term: the maker's word for `tdp_w`.
        idle_w: measured idle draw.
        min_w: least draw in production.
        mean_w: mean draw in training.
        max_w: greatest measured draw.
        power_boundary: where idle, min, mean and max were measured: chip, or node for a node.
        power_scope: circumstances of those watt figures.
        host_w: share of one chip in what its node draws beside its chips; from low to high.
        host_low_w: least of `host_w`.
        host_high_w: most of `host_w`.
        host_scope: what is in that share, and its source.
        system_w: mean draw in training with the chip's share of host and network; boundary it.
        system_scope: what is in that share, and its source.
        embodied_kg: kgCO2e to make it; `embodied_scope` says what is in it.
        embodied_scope: what `embodied_kg` covers.
        source: where the row comes from.
        status: confirmed, mixed or unconfirmed.
        unconfirmed_fields: cells of a mixed row that are from memory.
        notes: conflicts between sources, and warnings.
    """

    id: str
    aliases: tuple[str, ...]
    name: str
    vendor: str | None
    kind: str
    architecture: str | None
    year: int | None
    peak_bf16_flop_per_s: float | None
    peak_fp16_flop_per_s: float | None
    peak_tf32_flop_per_s: float | None
    peak_fp32_flop_per_s: float | None
    peak_fp8_flop_per_s: float | None
    peak_int8_op_per_s: float | None
    peak_fp4_flop_per_s: float | None
    measured_matmul_bf16_flop_per_s: float | None
    memory_bytes: float | None
    memory_bytes_per_s: float | None
    link: str | None
    link_bytes_per_s: float | None
    link_domain_chips: int | None
    link_axes: int | None
    network_bytes_per_s: float | None
    tdp_w: float | None
    tdp_term: str | None
    idle_w: float | None
    min_w: float | None
    mean_w: float | None
    max_w: float | None
    power_boundary: Boundary | None
    power_scope: str | None
    host_w: float | None
    host_low_w: float | None
    host_high_w: float | None
    host_scope: str | None
    system_w: float | None
    system_scope: str | None
    embodied_kg: float | None
    embodied_scope: str | None
    source: str
    status: str
    unconfirmed_fields: str
    notes: str | None

    def peak_flop_per_s(self, precision: str) -> float:
        """Dense peak at a precision: bf16, fp16, tf32, fp32, fp8, int8, fp4.

        Where it is unknown bf16 and fp16 stand in for each other, and fp8 for int8.

        Raises:
            MissingDataError: no peak is known at that precision.
        """
        twin = {"bf16": "fp16", "fp16": "bf16", "int8": "fp8"}
        for name in (precision, twin.get(precision, precision)):
            peak = getattr(self, f"peak_{name}_{'op' if name == 'int8' else 'flop'}_per_s", None)
            if peak is not None:
                return float(peak)
        raise MissingDataError(
            f"expected a {precision} peak of {self.id}",
            "unknown",
            "choose another precision or name a peak in the scenario",
        )


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model from `models.csv`: its shape, and what was published about it.

    Attributes:
        name: name of the row.
        title: as its authors write it.
        shape: sizes of the decoder.
        params_total: published parameters; None is unknown.
        params_active: published parameters that one token passes through.
        tokens: tokens of its published training run.
        source: where the row comes from.
        year: of that publication.
        status: confirmed, mixed or unconfirmed.
        notes: what to know before trusting it.
    """

    name: str
    title: str
    shape: Shape = field(repr=False)
    params_total: float | None
    params_active: float | None
    tokens: float | None
    source: str
    year: int
    status: str
    notes: str | None


def chip(name: str) -> Chip:
    """A chip by id or alias ("tpu-v4", "H100", "A100-80"); case, '-' and '_' do not matter."""
    return find("chip", name, chips(), lambda row: (row.id, *row.aliases))


def model(name: str) -> Model:
    """A model by name ("glam-64b-64e")."""
    return find("model", name, models(), lambda row: (row.name,))


@cache
def chips() -> tuple[Chip, ...]:
    """All chips, in the order of the file."""
    kinds = get_type_hints(Chip)

    def read(row: dict[str, str]) -> Chip:
        values: dict[str, Any] = {name: cell(text, kinds[name]) for name, text in row.items()}
        values["aliases"] = () if row["aliases"] == "none" else tuple(row["aliases"].split(";"))
        return Chip(**values)

    return tuple(rows("chips.csv", read))


@cache
def models() -> tuple[Model, ...]:
    """All models, in the order of the file."""
    sizes = {item.name for item in fields(Shape)}

    def read(row: dict[str, str]) -> Model:
        shape = Shape.from_dict({name: int(text) for name, text in row.items() if name in sizes})
        published = {
            name: cell(row[name], float | None)
            for name in ("params_total", "params_active", "tokens")
        }
        return Model(
            name=row["name"],
            title=row["title"],
            shape=shape,
            source=row["source"],
            year=int(row["year"]),
            status=row["status"],
            notes=cell(row["notes"], str | None),
            **published,
        )

    return tuple(rows("models.csv", read))


def rows(file: str, read: Callable[[dict[str, str]], Row]) -> Iterable[Row]:
    """Read a table of facts, refusing a row without source, status or a filled cell."""
    table = files("energy.facts.data").joinpath(file).read_text(encoding="utf-8")
    for line, row in enumerate(csv.DictReader(table.splitlines()), start=2):
        blank = [name for name, text in row.items() if name and not (text or "").strip()]
        if blank or None in row:
            raise InputError(
                f"expected every cell of {file} to be filled",
                f"line {line}: {', '.join(blank) or 'too many cells'}",
                "write unknown where nobody published it",
            )
        if row["status"] not in STATUSES or row["source"] == "unknown":
            raise InputError(
                f"expected a source and a status ({', '.join(STATUSES)}) in {file}", f"line {line}"
            )
        try:
            yield read(row)
        except (ValueError, KeyError) as error:
            raise InputError(f"expected a valid row in {file}", f"line {line}: {error}") from error


def cell(text: str, kind: Any) -> Any:
    """A cell by the type of its column; `unknown` and `none` are None."""
    if text in ("unknown", "none"):
        return text if kind is str else None
    if kind == float | None:
        return _amount(text)
    if kind == Boundary | None:
        return Boundary(text)
    return int(text) if kind == int | None else text


def _amount(text: str) -> float:
    """A cell of a physical amount: finite and not negative."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise ValueError(f"{text} is not an amount")
    return value


def find(
    what: str, name: str, known: tuple[Row, ...], names: Callable[[Row], tuple[str, ...]]
) -> Row:
    """A row by any of its names, or an error with the nearest ones."""
    by_name = {plain_name(alias): row for row in known for alias in names(row)}
    found = by_name.get(plain_name(name))
    if found is not None:
        return found
    canonical = {plain_name(alias): names(row)[0] for row in known for alias in names(row)}
    fix = nearest(plain_name(name), (), f"list them with: simulator {what}s", aliases=canonical)
    raise InputError(f"expected a {what} of the catalog", name, fix)


def plain_name(name: str) -> str:
    """A name without case and separators, as it is compared."""
    return "".join(letter for letter in name.lower() if letter.isalnum() or letter == ".")
