"""From the words of `simulator plan` to a scenario: a model, chips, a place, a run.

A model of the catalog says neither batch nor tokens: the tokens of its published run stand in, and
the usual batch of published runs, both told as notes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from energy.errors import InputError, nearest
from energy.facts import catalog
from energy.facts.prices import price as price_row
from energy.units import count
from simulator.published.candidates import BATCH_TOKENS
from simulator.runs.models import needs_hardware, of_models
from simulator.scenarios.scenario import Scenario, load, presets, quick
from simulator.scenarios.variants import moved_site


def asked(
    name: str,
    *,
    chip: str | None = None,
    chips: int | None = None,
    region: str | None = None,
    tokens: float | None = None,
    batch: int | None = None,
    price: str | None = None,
    overrides: dict[str, Any] | None = None,
) -> tuple[Scenario, tuple[str, ...]]:
    """The scenario that is asked about, and what was assumed for it.

    Args:
        name: a preset, a scenario file or a model of the catalog.
        chip: of the catalog, instead of the scenario's.
        chips: how many.
        region: a grid zone or a data centre, instead of the scenario's.
        tokens: of the run.
        batch: sequences of a step.
        price: a row of the prices.
        overrides: values by dotted key, laid over all of these.

    Raises:
        InputError: a name or a value is not valid, or the run is not known.
    """
    models = [row.name for row in catalog.models()]
    if name not in (*models, *presets()) and not Path(name).suffix and not Path(name).exists():
        raise InputError(
            "expected a preset, a scenario file or a model",
            name,
            nearest(name, [*models, *presets()]),
        )
    given, notes = overrides or {}, list[str]()
    chip = catalog.chip(chip).id if chip is not None else None
    laid = quick(tokens=tokens, batch=batch, chip=chip, count=chips)
    if needs_hardware(name):
        said = laid | given
        if not {"hardware.chip", "hardware.machine"} & set(said) or "hardware.count" not in said:
            raise InputError(
                "expected --chip and --chips",
                f"the model {name} alone",
                f"simulator plan {name} --chip h100 --chips 64",
            )
        assumed, notes = _assumed_run(name, said)
        laid |= assumed
    elif chip is not None:
        laid |= _of_other_chips(load(name), chip)
    if price is not None:
        row = price_row(price)
        laid["site.electricity_price" if row.chip is None else "site.chip_price"] = row.id
    (scenario,) = of_models([name], laid | given)
    if region is not None:
        scenario = scenario.model_copy(update={"site": moved_site(scenario.site, region)})
    return scenario, tuple(notes)


def _of_other_chips(scenario: Scenario, chip: str) -> dict[str, Any]:
    """What a scenario says of its own chips, taken away where others take their place."""
    own = scenario.hardware.chip
    if own is not None and catalog.chip(own).id == chip:
        return {}
    return {"hardware.software": None, "hardware.framework": None, "site.chip_price": None}


def _assumed_run(name: str, laid: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Tokens and batch of a model of the catalog that nobody gave."""
    row, found, notes = catalog.model(name), dict[str, Any](), list[str]()
    if not {"run.tokens", "run.steps"} & set(laid):
        if row.tokens is None:
            raise InputError(
                "expected --tokens of the run", "none", f"no run of {name} is in the catalog"
            )
        found["run.tokens"] = row.tokens
        notes.append(f"tokens: the {count(row.tokens)} of its published run ({row.source})")
    if not {"run.batch_tokens", "run.batch_sequences"} & set(laid):
        found["run.batch_tokens"] = BATCH_TOKENS
        notes.append(
            f"batch: {count(BATCH_TOKENS)} tokens a step assumed, the middle of published "
            "runs (--batch gives sequences)"
        )
    return found, notes
