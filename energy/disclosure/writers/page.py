"""Everything about a run on one page: self-contained HTML, Markdown, or plain data."""

from __future__ import annotations

from typing import Any

from energy._lazy import version
from energy.colors import VARIABLES
from energy.disclosure.facts import Facts
from energy.disclosure.forms import form
from energy.disclosure.method import carbon_method, compute_method, energy_method, kind, place
from energy.disclosure.writers.documentation_form import thresholds
from energy.errors import absent
from energy.quantity import Origin, Quantity
from energy.units import J_PER_WH, significant

LADDER = ("chip", "node", "it", "facility", "generation")

CO2 = {
    "co2_location_g": "by location: the average of the grid",
    "co2_location_hourly_g": "by location, hour by hour",
    "co2_market_g": "by market: after contracts",
    "co2_market_hourly_g": "by market, matched hour by hour",
    "co2_embodied_g": "embodied: the share of making the hardware",
    "co2_offset_g": "offsets: bought, and in none of the others",
}
"""Figures of CO2e, each alone; those by the hours where a series over time was named."""

FIGURES = {
    "params_total": "parameters",
    "params_active": "active parameters",
    "tokens": "training tokens",
    "model_flop": "model FLOP",
    "executed_flop": "executed FLOP",
    "hardware_flop": "FLOP by hardware",
    "elapsed_s": "wall-clock time",
    "chip_s": "time, summed over the chips",
    "pue": "PUE",
    "grid_g_per_kwh": "grid factor, g/kWh",
    "water_l": "water",
}

WORDS = {
    "begin": "first day",
    "end": "last day",
    "chip_name": "hardware",
    "chips": "number of chips",
    "site_name": "site",
    "zone": "grid zone",
    "operator": "operator",
    "cloud_provider": "cloud",
    "training_type": "training",
}

QUERY_NOTE = (
    "at the boundary of AI Energy Score (GPU boards alone), and not its label: that is awarded for "
    "its own benchmark on its own hardware"
)


def content(facts: Facts) -> dict[str, Any]:
    """What the page shows, as plain data."""
    return {
        "name": facts.words["name"],
        "kind": kind(facts),
        "records": [f"{record.name} ({record.kind})" for record in facts.records],
        "headline": _headline(facts),
        "words": _words(facts),
        "ladder": _ladder(facts),
        "co2": _rows(facts, {n: t for n, t in CO2.items() if facts.has(n) or "hourly" not in n}),
        "figures": [row for row in _rows(facts, FIGURES) if row["value"] != "missing"],
        "methods": {
            "Energy": energy_method(facts),
            "CO2e": carbon_method(facts),
            "Compute": compute_method(facts),
        },
        "thresholds": thresholds(facts),
        "queries": _queries(facts),
        "version": version(),
        "created": facts.words["written"],
    }


def _headline(facts: Facts) -> str:
    joules = facts.quantities["energy_j"]
    return f"{joules.human()} at the {place(facts.boundary)} boundary, {joules.origins}"


def _words(facts: Facts) -> list[tuple[str, str]]:
    chips = {"chips": f"{facts.number('chips'):,.0f}"} if facts.has("chips") else {}
    known = {**facts.words, **chips}
    return [(title, known[name]) for name, title in WORDS.items() if name in known]


def _ladder(facts: Facts) -> list[dict[str, Any]]:
    """The boundaries with their joules; the width of a bar is a share of the widest."""
    rows = [
        (at, facts.quantities[f"energy_{at}_j"])
        for at in LADDER
        if f"energy_{at}_j" in facts.quantities
    ]
    widest = max((quantity.numbers()[2] for _, quantity in rows), default=1.0) or 1.0
    return [
        _row(place(at), quantity)
        | {
            "share": round(100 * quantity.numbers()[0] / widest, 1),
            "low_share": round(100 * quantity.numbers()[1] / widest, 1),
            "band_share": round(100 * (quantity.numbers()[2] - quantity.numbers()[1]) / widest, 1),
            "certain": round(100 * quantity.shares.get(Origin.MEASURED, 0.0)),
        }
        for at, quantity in rows
    ]


def _rows(facts: Facts, titles: dict[str, str]) -> list[dict[str, str]]:
    return [
        _row(title, facts.quantities[name])
        if name in facts.quantities
        else {
            "title": title,
            "value": "missing",
            "band": "",
            "origin": "",
            "source": facts.absent.get(name, "not stated"),
        }
        for name, title in titles.items()
    ]


def _row(title: str, quantity: Quantity) -> dict[str, str]:
    return {
        "title": title,
        "value": quantity.human(),
        "band": quantity.band(),
        "origin": quantity.origins,
        "source": quantity.source,
    }


def _queries(facts: Facts) -> str:
    """Wh per 1,000 queries, where queries were counted."""
    if not facts.has("j_per_1000_queries"):
        return ""
    each = facts.quantities["j_per_1000_queries"]
    value, low, high = (number / J_PER_WH for number in each.numbers())
    return (
        f"{significant(value)} Wh per 1,000 queries ({significant(low)} to {significant(high)}; "
        f"{each.origins}), {QUERY_NOTE}"
    )


def html(facts: Facts) -> str:
    """The page as one HTML file that fetches nothing.

    Raises:
        MissingDataError: Jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise absent("jinja2") from error
    environment = Environment(
        loader=PackageLoader("energy.disclosure.writers", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(variables=VARIABLES, **content(facts))


def markdown(facts: Facts) -> str:
    """The page as Markdown."""
    page = content(facts)
    lines = [f"# {page['name']}", "", f"**{page['headline']}**{_kind(page['kind'])}", ""]
    lines += [f"- {title}: {text}" for title, text in page["words"]]
    for title, name in (("Energy", "ladder"), ("CO2e", "co2"), ("Figures", "figures")):
        lines += ["", f"## {title}", "", "| what | value | band | origin |", "|---|---|---|---|"]
        lines += [
            f"| {' | '.join(_cell(row[key]) for key in ('title', 'value', 'band', 'origin'))} |"
            for row in page[name]
        ]
    lines += ["", "## How the numbers came about", ""]
    lines += [f"{title}: {text}\n" for title, text in page["methods"].items()]
    lines += [*page["thresholds"], *([page["queries"]] if page["queries"] else [])]
    return "\n".join([*lines, f"\nWritten by glam-energy {page['version']}.", ""])


def _kind(text: str) -> str:
    return "" if text == "run" else f" ({text})"


def _cell(text: str) -> str:
    """Text that ends no cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def data(facts: Facts) -> dict[str, Any]:
    """Every fact with value, unit, band, origin and source."""
    own = form("json")
    return {
        **own.heading(),
        "name": facts.words["name"],
        "predicted": facts.predicted,
        "boundary": facts.boundary,
        "facts": dict(facts.quantities),
        "words": dict(facts.words),
        "absent": dict(facts.absent),
        "methods": content(facts)["methods"],
        "thresholds": thresholds(facts),
        "queries": _queries(facts),
    }
