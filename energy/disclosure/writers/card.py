"""The model card of the Hugging Face Hub: grams of CO2e, and the environmental section.

The Hub's own filter reads the first decimal number of the text of `emissions`: the number is
written as a plain decimal that it reads as meant. Whatever has no field goes into the section.
"""

from __future__ import annotations

import json

from energy.disclosure.facts import Facts
from energy.disclosure.forms import document, form
from energy.disclosure.method import (
    basis,
    carbon_method,
    compute_method,
    energy_method,
    with_origin,
)
from energy.disclosure.plain import decimal
from energy.errors import InputError
from energy.units import S_PER_HOUR, significant

LEAST_G = 1e-4
"""Python writes smaller numbers with an exponent, which the Hub's filter misreads."""


def written(facts: Facts) -> str:
    """The card: YAML between dashes, and a section in Markdown.

    40.1 t: `emissions: 40109800`, and never 40.1 t or 4.01e7.

    Raises:
        InputError: it is less than a tenth of a milligram, which no card can hold.
    """
    values = document(form("hf-card"), facts)
    grams = values.pop("emissions")
    if grams < LEAST_G:
        raise InputError(
            f"expected at least {LEAST_G:g} g of CO2e", f"{grams:g} g", "the Hub would misread it"
        )
    words = {"source": _source(facts), **values}
    lines = ["---", "co2_eq_emissions:", f"  emissions: {decimal(grams)}"]
    # A JSON string is a YAML string, whatever is in it.
    lines += [f"  {key}: {json.dumps(text, ensure_ascii=False)}" for key, text in words.items()]
    return "\n".join([*lines, "---", "", *_section(facts), ""])


def _source(facts: Facts) -> str:
    grams = facts.quantities["co2_location_g"]
    return f"glam-energy, {basis(facts)}: {grams.origins}, {grams.band()}; location-based"


def _section(facts: Facts) -> list[str]:
    """The environmental section of the card's text."""
    rows = {
        "Hardware type": facts.words.get("chip_name", ""),
        "Hours used": _hours(facts),
        "Cloud provider": facts.words.get("cloud_provider", facts.words.get("operator", "")),
        "Compute region": facts.words.get("zone", facts.words.get("site_name", "")),
        "Carbon emitted": f"{facts.quantities['co2_location_g'].human()} CO2e, location-based",
    }
    shown = {
        "Energy": ("energy_j", f", {facts.boundary} boundary"),
        "CO2e, location": ("co2_location_g", ""),
        "CO2e, market": ("co2_market_g", ""),
        "CO2e, location, hour by hour": ("co2_location_hourly_g", ""),
        "CO2e, market, hour by hour": ("co2_market_hourly_g", ""),
        "CO2e, embodied": ("co2_embodied_g", ""),
        "CO2e, offsets": ("co2_offset_g", ""),
        "PUE": ("pue", ""),
        "Water": ("water_l", ""),
    }
    figures = {
        title: with_origin(facts.quantities[name]) + suffix
        for title, (name, suffix) in shown.items()
        if name in facts.quantities
    }
    return [
        "## Environmental impact",
        "",
        *(f"- **{title}:** {text}" for title, text in rows.items() if text),
        "",
        *(f"- {title}: {text}" for title, text in figures.items()),
        "",
        energy_method(facts),
        "",
        carbon_method(facts),
        "",
        compute_method(facts),
    ]


def _hours(facts: Facts) -> str:
    if not facts.has("chip_s"):
        return ""
    hours = significant(facts.number("chip_s") / S_PER_HOUR)
    return f"{hours} (hours summed over {facts.number('chips'):,.0f} chips)"
