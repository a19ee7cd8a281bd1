"""A scenario with another model, on other chips, in another place, at another price."""

from __future__ import annotations

import math
from collections.abc import Sequence

from energy import shape as shapes
from energy.errors import InputError
from energy.facts import catalog, grid
from energy.facts.prices import Price
from energy.facts.site import OF_THE_GRID
from energy.quantity import Origin, Quantity
from energy.shape import LAYER_COUNTS, Shape
from simulator.physics.plan import AXES, Plan
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.sections import ModelSection, SiteSection


def planned(scenario: Scenario, plan: Plan) -> Scenario:
    """The scenario with every degree of a plan written down."""
    degrees = {name: value for name in AXES if (value := getattr(plan, name)) is not None}
    return scenario.model_copy(update={"plan": scenario.plan | degrees})


def on_chips(
    scenario: Scenario, chip: str, count: int, rows: Sequence[Price], other: float | None = None
) -> Scenario:
    """The scenario on other chips: what it says of its own chip does not apply to others.

    Args:
        scenario: with chips of its own, or a machine.
        chip: row of the catalog.
        count: how many.
        rows: prices; each counts for its chip, that of electricity for all.
        other: dollars an hour of a chip that no row is of.
    """
    own = scenario.hardware.chip is not None and catalog.chip(scenario.hardware.chip).id == chip
    gone = {} if own else {"software": None, "framework": None, "machine": None}
    hardware = scenario.hardware.model_copy(update={"chip": chip, "count": count, **gone})
    figures: dict[str, Quantity | None] = {} if own else {"chip_price": None}
    if other is not None:
        source = "--chip-price: dollars an hour of a chip"
        figures["chip_price"] = Quantity.exact(other, "USD/h", source, Origin.ASSUMED)
    for row in rows:
        if row.chip in (None, chip):
            figures["electricity_price" if row.chip is None else "chip_price"] = row.price
    site = scenario.site.model_copy(update=figures)
    return scenario.model_copy(update={"hardware": hardware, "site": site})


def one_kind_of_price(scenarios: Sequence[Scenario]) -> list[Scenario]:
    """Rent is not compared with electricity alone: where some are rented, only rent counts."""
    if all(scenario.site.chip_price is None for scenario in scenarios):
        return list(scenarios)
    return [
        scenario.model_copy(
            update={"site": scenario.site.model_copy(update={"electricity_price": None})}
        )
        for scenario in scenarios
    ]


def moved_site(section: SiteSection, place: str) -> SiteSection:
    """The site moved to a grid zone, or to a data center with figures of its own.

    Raises:
        MissingDataError: there is no such place.
    """
    grid_figures = dict.fromkeys(OF_THE_GRID)
    if place in {row.id for row in grid.regions()}:
        building = {"pue": None, "wue": None}
        moved = {"zone": None, "region": place, **grid_figures, **building}
    else:
        moved = {"zone": grid.zone(place).id, "region": None, **grid_figures}
    return section.model_copy(update=moved)


def lengthened_to(scenario: Scenario, tokens: Quantity) -> Scenario:
    """The run over so many tokens, at its published rate."""
    factor = tokens.numbers()[0] / scenario.tokens
    return with_tokens(lengthened(scenario, factor), tokens.numbers()[0])


def lengthened(scenario: Scenario, factor: float) -> Scenario:
    """The same run over `factor` times the tokens.

    Published hours scale with the tokens (one rate); totals that were printed for the run as it
    was no longer describe it and are removed.
    """
    run = scenario.run.model_copy(update={"tokens": scenario.tokens * factor, "steps": None})
    published = scenario.published
    if published is not None and factor != 1.0:
        hours = published.elapsed_h.scaled(
            factor, source=f"{published.elapsed_h.source}, x {factor:.4g} for the tokens"
        )
        published = published.model_copy(
            update={"elapsed_h": hours, "energy_mwh": None, "co2_t": None}
        )
    return scenario.model_copy(update={"run": run, "published": published})


def with_tokens(scenario: Scenario, tokens: float) -> Scenario:
    """The scenario over other tokens."""
    run = scenario.run.model_copy(update={"tokens": tokens, "steps": None})
    return scenario.model_copy(update={"run": run})


def dense_twin(scenario: Scenario) -> Scenario | None:
    """The same run of the dense model with the same active parameters; None for a dense model."""
    shape = scenario.model.resolve()
    if not shape.n_moe_layers:
        return None
    model = ModelSection(shape=shapes.dense_twin(shape).as_dict())
    name = f"{scenario.name}, dense twin"
    return scenario.model_copy(update={"name": name, "model": model, "published": None})


def with_layers(scenario: Scenario, layers: int, tokens_per_parameter: float | None) -> Scenario:
    """The scenario with a larger or smaller model of its family."""
    shape = scaled(scenario.model.resolve(), layers, _tensor(scenario))
    model = ModelSection(preset=None, shape=shape.as_dict())
    resized = scenario.model_copy(update={"model": model})
    if tokens_per_parameter is None:
        return resized
    active = float(shapes.total(shapes.active_parameters(shape)))
    return with_tokens(resized, tokens_per_parameter * active)


WIDTHS = (
    "d_ff",
    "d_expert",
    "d_shared",
    "d_latent_expert",
    "d_layer_input",
    "d_gate",
    "q_rank",
    "kv_rank",
    "index_heads",
)
"""Sizes that grow with the heads."""


def scaled(shape: Shape, layers: int, tensor: int = 1) -> Shape:
    """A shape of so many layers with the proportions of another, to the nearest whole head.

    Width, heads, feed-forward width and experts' width grow with the depth, the head's width does
    not; mixture layers keep their share, experts their number. GLaM 64B/64E at 32 layers: width
    4,096, 64 heads, feed-forward 16,384.

    Args:
        shape: whose proportions.
        layers: of the new shape.
        tensor: what the key-value heads are a multiple of.

    Raises:
        InputError: the layers of the shape are of several kinds.
    """
    if shape.others:
        raise InputError(
            "expected a model whose layers are of one kind, to make others of its family",
            f"{len(shape.others) + 1} kinds of layers",
            "name a model of another family",
        )
    factor = layers / float(shape.n_layers)
    group = float(shape.n_heads) / float(shape.n_kv_heads)
    kv_heads = tensor * max(1, round(float(shape.n_kv_heads) * factor / tensor))
    heads = round(kv_heads * group)
    wide = float(shape.d_model) / float(shape.n_heads)

    def width(name: str) -> int:
        value = float(getattr(shape, name))
        return max(1, round(value / float(shape.n_heads) * heads)) if value else 0

    widths = {name: width(name) for name in WIDTHS}
    if shape.recurrence == "mamba":
        widths |= {name: width(name) for name in ("d_state_value", "state_rank", "state_norms")}
    elif shape.recurrence != "none":
        widths |= {name: width(name) for name in ("state_heads", "state_key_heads")}
    if float(shape.qk_norm) > 2 * float(shape.d_head):
        widths["qk_norm"] = width("qk_norm")
    counts = {name: round(float(getattr(shape, name)) * factor) for name in LAYER_COUNTS}
    # Rounded apart, two counts of one whole may be a layer too many.
    counts["n_moe_layers"] = min(counts["n_moe_layers"], layers - counts["n_mixer_layers"])
    sizes = {"n_heads": heads, "n_kv_heads": kv_heads, "d_model": round(wide * heads)}
    return Shape.from_dict(shape.as_dict() | counts | widths | sizes)


REPEATS = 4
"""A pattern of mixture layers that repeats fewer times is no pattern: a few layers are dense."""


def granule(scenario: Scenario) -> int:
    """The number of layers that every model of the family has a multiple of.

    It follows from the pattern of its layers and from what the plan splits: every other layer a
    mixture and a pipeline of 4 give 8. Of 61 layers with 3 dense ones first, no pattern repeats.
    """
    shape = scenario.model.resolve()
    layers = int(shape.n_layers)
    pattern = layers // math.gcd(*(int(getattr(shape, name)) for name in LAYER_COUNTS))
    if layers < REPEATS * pattern:
        pattern = 1
    split = math.prod(int(scenario.plan.get(name, 1)) for name in ("pp", "vp"))
    return pattern * split


def _tensor(scenario: Scenario) -> int:
    """What the plan splits heads by."""
    return math.prod(int(scenario.plan.get(name, 1)) for name in ("tp", "cp"))


def parameters(scenario: Scenario) -> float:
    """All parameters of a scenario's model."""
    return float(shapes.total(shapes.parameters(scenario.model.resolve())))
