"""The page of `simulator compare`: runs side by side, what their ratio is made of, and cautions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from energy import units
from energy.quantity import Boundary, Quantity
from energy.record import RunRecord
from energy.reports.words import band, console, human, table
from energy.units import G_PER_T, J_PER_MWH, S_PER_DAY
from simulator.questions.compare import page_quality as show_quality
from simulator.questions.compare.quality import EqualQuality
from simulator.questions.compare.ratio import REFUSED, Ratio, held_equal, warnings
from simulator.runs.sides import METHOD, Side
from simulator.terms import as_json as tree
from simulator.terms import lines

WHAT = {
    "model": "model FLOP",
    "machine": "joules per model FLOP of the machines",
    "mechanisation": "facility joules over machine joules (PUE)",
    "map": "CO2e per facility joule: the grid",
}


RATIO_FIELDS = ("model", "machine", "mechanisation", "map", "energy", "co2")


def page(
    sides: Sequence[Side],
    ratios: Sequence[Ratio],
    basis: str,
    explain: bool = False,
    quality: EqualQuality | None = None,
) -> None:
    """Print the runs, the ratio of each to the first, and what a reader must know."""
    out = console()
    first = sides[0]
    for side, ratio in zip(sides[1:], ratios, strict=True):
        out.print(headline(first, side, ratio), style="bold")
    out.print()
    out.print(side_by_side(sides, basis, ratios))
    for side, ratio in zip(sides[1:], ratios, strict=True):
        out.print()
        out.print(decomposition(first, side, ratio))
        out.print(verdict(first, side, ratio))
    held = held_equal(sides)
    equal = [name for name, same in held.items() if same]
    if quality is not None:
        show_quality.page(quality)
        equal.insert(0, "loss by the law above")
    out.print()
    out.print(f"held equal: {', '.join(equal) or 'nothing'}")
    out.print(f"not equal: {', '.join(name for name in held if name not in equal) or 'nothing'}")
    for text in warnings(sides, equal_quality=quality is not None):
        out.print(f"[bold]CAUTION[/bold] {text}")
    for side in sides:
        for note in side.record.notes:
            out.print(f"source of {side.name}: {note}", markup=False)
    for side in sides if explain else ():
        for term in side.trees:
            out.print()
            out.print(f"{side.name}: " + "\n".join(lines(term)), markup=False, soft_wrap=True)


def headline(first: Side, second: Side, ratio: Ratio) -> str:
    """The answer in one line, in the totals that were printed where there are such."""
    both = (first, second)
    energies = [_printed(side, "published_energy_j", side.facility_j) for side in both]
    unlike = first.accounting != second.accounting
    carbon = [
        _printed(side, "published_co2_g", side.co2_g)
        + (f" {METHOD[side.accounting]}" if unlike else "")
        for side in both
    ]
    known = all(side.co2_g.value is not None for side in both)
    co2 = f"; {carbon[0]} against {carbon[1]} of CO2e" if known else ""
    active = " against ".join(_active_share(side.record) for side in both)
    return (
        f"{first.name} against {second.name}: {energies[0]} against {energies[1]}{co2}; "
        f"{active} of the parameters active"
    )


def side_by_side(sides: Sequence[Side], basis: str, ratios: Sequence[Ratio]) -> Table:
    """One column a run; the last column is the ratio when there are two."""
    compared = all(ratio.co2.source != REFUSED for ratio in ratios)
    found = table(
        f"{basis} inputs", *(side.name for side in sides), *(["ratio"] if len(sides) == 2 else [])
    )
    for label, cells, quantities in _rows(sides, compared):
        found.add_row(label, *cells, *([_ratio(quantities)] if len(sides) == 2 else []))
    return found


def decomposition(first: Side, second: Side, ratio: Ratio) -> Table:
    """The four factors and their two products."""
    found = table(
        "",
        "ratio",
        "band",
        "origin",
        "of the energy",
        "",
        title=f"{second.name} / {first.name}, taken apart",
    )
    found.columns[-1].justify = "left"
    for name in ("model", "machine", "mechanisation"):
        found.add_row(
            f"  {name}", *_cells(getattr(ratio, name)), f"{ratio.share(name):.0%}", WHAT[name]
        )
    found.add_row("= energy", *_cells(ratio.energy), "100%", "facility joules")
    found.add_row("x map", *_cells(ratio.map), "", WHAT["map"])
    found.add_row("= CO2e", *_cells(ratio.co2), "", "grams of CO2e")
    return found


def verdict(first: Side, second: Side, ratio: Ratio) -> str:
    """Which factor the energy ratio comes from, in a sentence."""
    shares = {name: ratio.share(name) for name in ("model", "machine", "mechanisation")}
    if not any(shares.values()):
        return "The two runs spend the same energy."
    largest = max(shares, key=lambda name: shares[name])
    excess = 1 / (ratio.model.value or 1.0) - 1
    work = "as many FLOP as"
    if abs(excess) >= 0.005:
        work = f"{abs(excess):.0%} {'more' if excess > 0 else 'fewer'} FLOP than"
    return (
        f"{shares[largest]:.0%} of the energy ratio comes from the {largest} ({WHAT[largest]}); "
        f"{first.name} spends {work} {second.name}."
    )


def as_json(
    sides: Sequence[Side],
    ratios: Sequence[Ratio],
    basis: str,
    explain: bool = False,
    quality: EqualQuality | None = None,
) -> dict[str, Any]:
    """The comparison with the names that scripts rely on."""
    shown = [
        {name: getattr(ratio, name) for name in RATIO_FIELDS} | {"boundary": str(ratio.boundary)}
        for ratio in ratios
    ]
    return {
        "basis": basis,
        "scenarios": [
            _side(side) | ({"explain": [tree(term) for term in side.trees]} if explain else {})
            for side in sides
        ],
        "ratio": shown[0],
        "ratios": shown,
        "held_equal": held_equal(sides),
        "warnings": warnings(sides, equal_quality=quality is not None),
        **({} if quality is None else {"quality": show_quality.as_json(quality)}),
    }


def _rows(sides: Sequence[Side], compared: bool) -> Iterator[tuple[str, list[str], list[Quantity]]]:
    """Label, cells and what is divided; CO2 is not where gross stands beside net."""
    records = [side.record for side in sides]
    yield "chips", [_chips(side) for side in sides], []
    for label, quantities in (
        ("tokens", [record.tokens for record in records]),
        ("parameters", [record.params_total for record in records]),
    ):
        yield label, [human(value) for value in quantities], quantities
    active = [record.params_active for record in records]
    yield "  active a token", [_active(record) for record in records], active
    for label, quantities in (
        ("model FLOP", [record.model_flop for record in records]),
        ("elapsed", [record.elapsed_s for record in records]),
        ("facility energy", [side.facility_j for side in sides]),
    ):
        yield label, [str(value) for value in quantities], quantities
    yield from _as_printed(records, "published_energy_j")
    carbon = [side.co2_g for side in sides]
    told_co2 = [f"{METHOD[side.accounting]} {side.co2_g}" for side in sides]
    yield "CO2e", told_co2, carbon if compared else []
    for label, cells, quantities in _as_printed(records, "published_co2_g"):
        yield label, cells, quantities if compared else []
    for label, quantities in (
        ("water", [record.water_l for record in records]),
        ("dollars", [record.cost_usd for record in records]),
    ):
        if any(value.value is not None for value in quantities):
            yield label, [str(value) for value in quantities], quantities


def _as_printed(
    records: Sequence[RunRecord], name: str
) -> Iterator[tuple[str, list[str], list[Quantity]]]:
    printed = [record.metrics[name] for record in records if name in record.metrics]
    if len(printed) == len(records):
        yield "  as printed there", [human(value) for value in printed], printed


def _printed(side: Side, name: str, ours: Quantity) -> str:
    return human(side.record.metrics.get(name, ours))


def _chips(side: Side) -> str:
    chips = side.chips
    return "missing" if chips is None else f"{chips:,.0f} {side.record.labels.get('chip', '')}"


def _active(record: RunRecord) -> str:
    return f"{human(record.params_active)}, {_active_share(record)}"


def _active_share(record: RunRecord) -> str:
    active, total = record.params_active.value, record.params_total.value
    return "missing" if active is None or not total else f"{active / total:.1%}"


def _ratio(quantities: Sequence[Quantity]) -> str:
    if len(quantities) != 2 or not quantities[0].value or quantities[1].value is None:
        return ""
    return units.significant(quantities[1].value / quantities[0].value)


def _cells(quantity: Quantity) -> tuple[str, str, str]:
    if quantity.value is None:
        return "refused" if quantity.source == REFUSED else "missing", "", ""
    return units.significant(quantity.value), band(quantity), str(quantity.origin)


def _side(side: Side) -> dict[str, Any]:
    record = side.record
    return {
        "name": side.name,
        "energy_mwh": side.facility_j.scaled(1 / J_PER_MWH, "MWh"),
        "co2_t": side.co2_g.scaled(1 / G_PER_T, "t"),
        "co2_accounting": side.accounting,
        "water_l": record.water_l,
        "cost_usd": record.cost_usd,
        "elapsed_days": record.elapsed_s.scaled(1 / S_PER_DAY, "d"),
        "model_flop": record.model_flop,
        "params_total": record.params_total,
        "params_active": record.params_active,
        "tokens": record.tokens,
        "energy_by_boundary_j": {
            str(place): record.totals[place] for place in Boundary if place in record.totals
        },
        "metrics": record.metrics,
        "labels": record.labels,
        "notes": record.notes,
    }
