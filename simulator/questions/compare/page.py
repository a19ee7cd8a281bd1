"""The page of `simulator compare`: runs side by side, the factors of their ratio, and cautions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from energy import units
from energy.quantity import Boundary, Quantity
from energy.record import RunRecord
from energy.reports.terminal import table
from energy.tables import html_rows
from energy.units import G_PER_T, J_PER_MWH, S_PER_DAY
from simulator.questions.compare.answer import Comparison
from simulator.questions.compare.ratio import REFUSED, Ratio, equal_figures
from simulator.runs.sides import METHOD, Side

MEANING = {
    "model": "model FLOP",
    "machine": "joules per model FLOP of the machines",
    "mechanization": "facility joules over machine joules (PUE)",
    "map": "CO2e per facility joule: the grid",
}

RATIO_KEYS = {
    "model": "model",
    "machine": "machine",
    "mechanisation": "mechanization",
    "map": "map",
    "energy": "energy",
    "co2": "co2",
}
"""Keys of a ratio as JSON, which scripts rely on, and its fields."""

QuantityOf = Callable[[Side], Quantity]

COUNTS: Mapping[str, QuantityOf] = {
    "tokens": lambda side: side.record.tokens,
    "parameters": lambda side: side.record.params_total,
}

AMOUNTS: Mapping[str, QuantityOf] = {
    "model FLOP": lambda side: side.record.model_flop,
    "elapsed": lambda side: side.record.elapsed_s,
    "facility energy": lambda side: side.facility_j,
}

WHERE_KNOWN: Mapping[str, QuantityOf] = {
    "water": lambda side: side.record.water_l,
    "dollars": lambda side: side.record.cost_usd,
}


@dataclass(frozen=True)
class Row:
    """A quantity of all runs.

    Attributes:
        label: what it is.
        cells: one for each run.
        values: what is divided for the ratio; empty where nothing is.
    """

    label: str
    cells: list[str]
    values: Sequence[Quantity] = ()

    def ratio(self) -> str:
        """Second over first, where both are known."""
        if len(self.values) != 2 or not self.values[0].value or self.values[1].value is None:
            return ""
        return units.significant(self.values[1].value / self.values[0].value)


def page(comparison: Comparison, console: Console) -> None:
    """Print the runs, the ratio of each to the first, and what a reader must know."""
    first, *later = comparison.sides
    for side in later:
        console.print(headline(first, side), style="bold")
    if comparison.matches:
        from simulator.questions.compare import page_quality
    for item, ratio in zip(comparison.matches, comparison.ratios, strict=False):
        console.print(page_quality.headline(first.name, item, ratio), style="bold")
    console.print()
    console.print(_side_by_side(comparison))
    for side, ratio in zip(later, comparison.ratios, strict=True):
        console.print()
        console.print(_decomposition(first, side, ratio))
        console.print(verdict(first, side, ratio))
    figures = equal_figures(comparison.sides)
    equal = [name for name, same in figures.items() if same]
    different = [name for name, same in figures.items() if not same]
    if comparison.matches:
        page_quality.page(comparison, console)
        equal.insert(0, "loss by the law above")
    if comparison.served:
        from simulator.questions.compare import page_serving

        page_serving.serving_page(comparison.served, console)
    console.print()
    console.print(f"equal: {', '.join(equal) or 'nothing'}")
    console.print(f"not equal: {', '.join(different) or 'nothing'}")
    for text in comparison.cautions:
        console.print(f"[bold]CAUTION[/bold] {text}")
    for side in comparison.sides:
        for note in side.record.notes:
            console.print(f"source of {side.name}: {note}", markup=False)


def html(comparison: Comparison) -> str:
    """The runs side by side with bands, for notebooks."""
    first, *later = comparison.sides
    divided = all(ratio.co2.source != REFUSED for ratio in comparison.ratios)
    ratio = ["ratio"] if len(later) == 1 else []
    rows = [
        [row.label, *row.cells, *([row.ratio()] if ratio else [])]
        for row in _rows(comparison.sides, divided)
    ]
    heads = [f"{comparison.basis} inputs", *(side.name for side in comparison.sides), *ratio]
    return html_rows(heads, rows, caption="; ".join(headline(first, side) for side in later))


def headline(first: Side, second: Side) -> str:
    """Two runs in a line, by their published totals where there are any; by time without joules."""
    both = (first, second)
    if any(side.facility_j.value is None for side in both):
        energies = [side.record.elapsed_s.human() for side in both]
    else:
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


def ratio_in_words(first: Side, second: Side, ratio: Ratio) -> str:
    """How many times the joules, and what they come from, in a line."""
    times, band = units.significant(ratio.energy.numbers()[0]), ratio.energy.band()
    what = f"{second.name} takes {times} times the energy of {first.name} ({band})"
    return f"{what}; {verdict(first, second, ratio).rstrip('.')}"


def verdict(first: Side, second: Side, ratio: Ratio) -> str:
    """Which factor the energy ratio comes from, in a sentence."""
    if ratio.energy.value is None:
        return f"The energies are not compared: {ratio.energy.source}."
    shares = {name: ratio.share(name) for name in ("model", "machine", "mechanization")}
    if not any(shares.values()):
        return "The two runs spend the same energy."
    largest = max(shares, key=lambda name: shares[name])
    excess = 1 / (ratio.model.value or 1.0) - 1
    work = "as many FLOP as"
    if abs(excess) >= 0.005:
        work = f"{abs(excess):.0%} {'more' if excess > 0 else 'fewer'} FLOP than"
    return (
        f"{shares[largest]:.0%} of the energy ratio comes from the {largest} ({MEANING[largest]}); "
        f"{first.name} spends {work} {second.name}."
    )


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison with the names that scripts rely on."""
    ratios = [
        {key: getattr(ratio, name) for key, name in RATIO_KEYS.items()}
        | {"boundary": str(ratio.boundary)}
        for ratio in comparison.ratios
    ]
    data = {
        "basis": comparison.basis,
        "scenarios": [_side(side) for side in comparison.sides],
        "ratio": ratios[0],
        "ratios": ratios,
        "equal": equal_figures(comparison.sides),
        "warnings": comparison.cautions,
    }
    if comparison.served:
        from simulator.questions.compare import page_serving

        data["serving"] = page_serving.as_json(comparison.served)
    if comparison.matches:
        from simulator.questions.compare import page_quality

        data["quality"] = page_quality.as_json(comparison)
    return data


def _side_by_side(comparison: Comparison) -> Table:
    """A column for each run; the last column is the ratio where there are two."""
    sides = comparison.sides
    divided = all(ratio.co2.source != REFUSED for ratio in comparison.ratios)
    ratio = ["ratio"] if len(sides) == 2 else []
    rows = table(f"{comparison.basis} inputs", *(side.name for side in sides), *ratio)
    for row in _rows(sides, divided):
        rows.add_row(row.label, *row.cells, *([row.ratio()] if ratio else []))
    return rows


def _decomposition(first: Side, second: Side, ratio: Ratio) -> Table:
    """The four factors and their two products."""
    rows = table(
        "",
        "ratio",
        "band",
        "origin",
        "of the energy",
        "",
        title=f"{second.name} / {first.name}, taken apart",
    )
    rows.columns[-1].justify = "left"
    known = ratio.energy.value is not None
    for name in ("model", "machine", "mechanization"):
        share = f"{ratio.share(name):.0%}" if known else ""
        rows.add_row(f"  {name}", *_cells(getattr(ratio, name)), share, MEANING[name])
    whole = "100%" if known else ""
    rows.add_row("= energy", *_cells(ratio.energy), whole, "facility joules")
    rows.add_row("x map", *_cells(ratio.map), "", MEANING["map"])
    rows.add_row("= CO2e", *_cells(ratio.co2), "", "grams of CO2e")
    return rows


def _rows(sides: Sequence[Side], divided: bool) -> Iterator[Row]:
    """The quantities of all runs; CO2e is divided unless gross stands beside net."""
    yield Row("chips", [_chips(side) for side in sides])
    yield from (
        _row(label, sides, quantity_of, Quantity.human) for label, quantity_of in COUNTS.items()
    )
    active = [side.record.params_active for side in sides]
    yield Row("  active a token", [_active(side.record) for side in sides], active)
    yield from (_row(label, sides, quantity_of, str) for label, quantity_of in AMOUNTS.items())
    yield from _as_printed(sides, "published_energy_j")
    grams = [f"{METHOD[side.accounting]} {side.co2_g}" for side in sides]
    yield Row("CO2e", grams, [side.co2_g for side in sides] if divided else [])
    yield from _as_printed(sides, "published_co2_g", divided)
    for label, quantity_of in WHERE_KNOWN.items():
        if any(quantity_of(side).value is not None for side in sides):
            yield _row(label, sides, quantity_of, str)


def _row(
    label: str, sides: Sequence[Side], quantity_of: QuantityOf, text: Callable[[Quantity], str]
) -> Row:
    values = [quantity_of(side) for side in sides]
    return Row(label, [text(value) for value in values], values)


def _as_printed(sides: Sequence[Side], name: str, divided: bool = True) -> Iterator[Row]:
    """The published totals, where all runs have one."""
    metrics = [side.record.metrics for side in sides]
    printed = [metric[name] for metric in metrics if name in metric]
    if len(printed) == len(sides):
        cells = [value.human() for value in printed]
        yield Row("  as printed there", cells, printed if divided else [])


def _printed(side: Side, name: str, ours: Quantity) -> str:
    return side.record.metrics.get(name, ours).human()


def _chips(side: Side) -> str:
    chips = side.chips
    return "missing" if chips is None else f"{chips:,.0f} {side.record.labels.get('chip', '')}"


def _active(record: RunRecord) -> str:
    return f"{record.params_active.human()}, {_active_share(record)}"


def _active_share(record: RunRecord) -> str:
    active, total = record.params_active.value, record.params_total.value
    return "missing" if active is None or not total else f"{active / total:.1%}"


def _cells(quantity: Quantity) -> tuple[str, str, str]:
    if quantity.value is None:
        return "refused" if quantity.source == REFUSED else "missing", "", ""
    return units.significant(quantity.value), quantity.band(), str(quantity.origin)


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
