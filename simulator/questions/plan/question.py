"""The scenario of a plan question: a model, chips, a place, a run.

A model of the catalog has no tokens: those of its published run are assumed, with a note.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from energy.errors import InputError
from energy.facts import catalog
from energy.facts.prices import priced
from energy.units import count
from simulator.quality.critical_batch import with_batch
from simulator.scenarios.request import Target, Tokens, is_model, quick, scenario_of
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.variants import moved_site


@dataclass(frozen=True)
class Question:
    """What the question is about.

    Attributes:
        scenario: model, chips, place and run.
        notes: what was assumed for it.
    """

    scenario: Scenario
    notes: tuple[str, ...] = ()


def question(
    target: Target,
    *,
    chip: str | None = None,
    chips: int | None = None,
    region: str | None = None,
    tokens: Tokens | None = None,
    batch: int | None = None,
    price: str | None = None,
    chip_price: float | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Question:
    """The scenario that the question is about, and what was assumed for it.

    Args:
        target: a preset, a scenario, a scenario file or a model of the catalog.
        chip: of the catalog, instead of the scenario's.
        chips: how many.
        region: a grid zone or a data center, instead of the scenario's.
        tokens: of the run.
        batch: sequences of a step.
        price: a row of the prices, or a price book.
        chip_price: instead of a row, dollars an hour of one chip.
        overrides: values by dotted key, which come after all of these.

    Raises:
        InputError: a name or a value is not valid, or the run is not known.
    """
    last, notes = dict(overrides or {}), list[str]()
    chip = catalog.chip(chip).id if chip is not None else None
    values = quick(tokens=tokens, batch=batch, chip=chip, count=chips)
    if not isinstance(target, Scenario) and is_model(str(target)):
        known = values | last
        _require_chips(str(target), known)
        assumed, notes = _assumed_run(str(target), known)
        values |= assumed
    if price is not None:
        rented = any(row.chip is not None for row in priced(price))
        values["site.chip_price" if rented else "site.electricity_price"] = price
    values |= quick(chip_price=chip_price)
    scenario = scenario_of(target, overrides=values | last)
    if batch is not None and not {"run.tokens", "run.steps"} & set(values | last):
        before = {key: value for key, value in values.items() if not key.startswith("run.batch")}
        scenario, more = _with_batch(scenario_of(target, overrides=before | last), batch, scenario)
        notes += more
    if region is not None:
        scenario = scenario.model_copy(update={"site": moved_site(scenario.site, region)})
    return Question(scenario, tuple(notes))


def _with_batch(own: Scenario, batch: int, changed: Scenario) -> tuple[Scenario, list[str]]:
    """A run with another batch than its own, and so with the tokens that it needs to its loss.

    Args:
        own: the run with its own batch.
        batch: sequences of a step.
        changed: the run with that batch and its own tokens, where no law says how many it needs.
    """
    same = own.run.sequences(float(own.model.resolve().seq_len)) == batch
    if same or not own.workload.is_pre_training:
        return changed, []
    priced = with_batch(own, batch)
    return priced.scenario, [priced.note]


def _require_chips(model: str, values: Mapping[str, Any]) -> None:
    """Refuse a model alone: it has no chips of its own."""
    if not {"hardware.chip", "hardware.machine"} & set(values) or "hardware.count" not in values:
        raise InputError(
            "expected --chip and --chips",
            f"the model {model} alone",
            f"simulator plan {model} --chip h100 --chips 64",
        )


def _assumed_run(name: str, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Tokens of a model alone that the caller left out, with a note."""
    row, assumed, notes = catalog.known_model(name), dict[str, Any](), list[str]()
    if not {"run.tokens", "run.steps"} & set(values):
        if row is None or row.tokens is None:
            raise InputError(
                "expected --tokens of the run", "none", f"no run of {name} is in the catalog"
            )
        assumed["run.tokens"] = row.tokens
        notes.append(f"tokens: the {count(row.tokens)} of its published run ({row.source})")
    return assumed, notes
