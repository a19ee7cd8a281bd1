"""One run in other clothes: with other models, on other chips, in other places, at other prices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from energy import catalog, grid
from energy.errors import InputError, nearest
from energy.prices import Price
from energy.quantity import Quantity
from simulator.crossover import EQUALS
from simulator.inverse import with_tokens
from simulator.plan import Plan
from simulator.quality import DEFAULT_LAW, match
from simulator.scaling_laws import law
from simulator.scenario import Scenario, load, named, presets
from simulator.sections import ModelSection, SiteSection
from simulator.space import AXES


def of_models(
    names: Sequence[str], overrides: dict[str, Any], equal: str = "tokens"
) -> list[Scenario]:
    """One scenario a model: the first as it is, the others with their model in its place.

    Args:
        names: a preset, a file or a model of the catalog; of a further one, only its model counts.
        overrides: laid over the first.
        equal: tokens, or quality: each further model reads what brings it to the first one's loss
            by the usual law (`simulator.quality.match`).

    Raises:
        InputError: a name is unknown.
        InfeasibleError: a model never has the loss of the first.
    """
    if equal not in EQUALS:
        raise InputError("expected --equal", equal, nearest(equal, EQUALS))
    models = [row.name for row in catalog.models()]
    name = names[0]
    first = named(None, name, overrides) if needs_hardware(name) else load(name, overrides)
    found = [first]
    for other in names[1:]:
        if other in models:
            model = ModelSection(preset=other)
        elif other in presets() or other.endswith(".toml"):
            model = load(other).model
        else:
            raise InputError(
                "expected a model, a preset or a scenario file",
                other,
                nearest(other, [*models, *presets()]),
            )
        one = first.model_copy(update={"name": other, "model": model})
        if equal == "quality":
            one = with_tokens(one, match(first, one, law(DEFAULT_LAW)).tokens.numbers()[0])
        found.append(one)
    return found


def needs_hardware(name: str) -> bool:
    """Whether a name is of a model alone, which says neither chips nor how many."""
    return name not in presets() and name in [row.name for row in catalog.models()]


def planned(scenario: Scenario, plan: Plan) -> Scenario:
    """The scenario with every degree of a plan written down."""
    degrees = {name: value for name in AXES if (value := getattr(plan, name)) is not None}
    return scenario.model_copy(update={"plan": scenario.plan | degrees})


def on_chips(scenario: Scenario, chip: str, count: int, rows: Sequence[Price]) -> Scenario:
    """The scenario on so many other chips: what was said of its own chip stays with that.

    Args:
        scenario: with chips of its own, or a machine.
        chip: row of the catalog.
        count: how many.
        rows: prices; each counts for its chip, that of electricity for all.
    """
    own = scenario.hardware.chip is not None and catalog.chip(scenario.hardware.chip).id == chip
    gone = {} if own else {"software": None, "framework": None, "machine": None}
    hardware = scenario.hardware.model_copy(update={"chip": chip, "count": count, **gone})
    figures: dict[str, Quantity | None] = {} if own else {"chip_price": None}
    for row in rows:
        if row.chip in (None, chip):
            figures["electricity_price" if row.chip is None else "chip_price"] = row.price
    site = scenario.site.model_copy(update=figures)
    return scenario.model_copy(update={"hardware": hardware, "site": site})


def one_kind_of_price(found: Sequence[Scenario]) -> list[Scenario]:
    """Rent is not compared with electricity alone: where one is rented, only rent counts."""
    if all(one.site.chip_price is None for one in found):
        return list(found)
    return [
        one.model_copy(update={"site": one.site.model_copy(update={"electricity_price": None})})
        for one in found
    ]


def moved_site(section: SiteSection, place: str) -> SiteSection:
    """The site moved to a grid zone, or to a data centre with figures of its own.

    Raises:
        MissingDataError: there is no such place.
    """
    grid_figures = {"grid_location": None, "grid_market": None, "ewif": None}
    if place in {row.id for row in grid.regions()}:
        building = {"pue": None, "wue": None}
        moved = {"zone": None, "region": place, **grid_figures, **building}
    else:
        moved = {"zone": grid.zone(place).id, "region": None, **grid_figures}
    return section.model_copy(update=moved)
