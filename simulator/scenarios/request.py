"""From a caller's words to a scenario: a preset, model or file, and options such as --chips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from energy.configurations.read import is_configuration, model_name
from energy.errors import InputError
from energy.facts import catalog
from energy.facts.site import OF_THE_GRID
from simulator.scenarios.scenario import Scenario, load, preset_of, with_overrides
from simulator.scenarios.sections import ModelSection

Tokens = float | str
"""Tokens as a number, or as the field writes them: "15T", "300B"."""

Target = Scenario | str | Path
"""A scenario, the name of a preset or of a model of the catalog, or the path of a scenario file or
of a model's config.json."""


NEEDS = {
    "tokens": (("run.tokens", "run.steps"), "--set run.tokens=300e9"),
    "chip": (
        ("hardware.chip", "hardware.machine"),
        "--set hardware.chip=h100 --set hardware.count=256",
    ),
}
"""What a model alone does not say: the keys that do, and how every verb takes them."""

Item = TypeVar("Item", bound=str | int | Path)


def several(value: Item | Sequence[Item]) -> tuple[Item, ...]:
    """What a caller names once or several times, as a tuple."""
    return (value,) if isinstance(value, str | int | Path) else tuple(value)


def scenario_of(
    target: Target,
    *,
    tokens: Tokens | None = None,
    steps: int | None = None,
    batch: int | None = None,
    seq_len: int | None = None,
    chip: str | None = None,
    chips: int | None = None,
    machine: str | Path | None = None,
    zone: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Scenario:
    """The scenario that a question is about.

    Args:
        target: a scenario, a preset, a model of the catalog, or a file.
        tokens: of the run.
        steps: instead of tokens, optimizer steps.
        batch: sequences of one optimizer step.
        seq_len: tokens of a sequence.
        chip: of the catalog.
        chips: how many.
        machine: instead of a chip, a file that `simulator calibrate` wrote.
        zone: grid zone.
        overrides: values by dotted key ("run.goodput": 0.9), which come last.

    Raises:
        InputError: the target is unknown, or a key or value is not valid.
    """
    values = quick(
        tokens=tokens,
        steps=steps,
        batch=batch,
        seq_len=seq_len,
        chip=chip,
        count=chips,
        machine=machine,
        zone=zone,
    ) | dict(overrides or {})
    if isinstance(target, Scenario):
        return _changed(target, values)
    return _of_name(str(target), values)


def _of_name(name: str, values: Mapping[str, Any]) -> Scenario:
    """The scenario of a preset, a model or a file."""
    return of_model(name, values) if is_model(name) else load(name, dict(values))


def is_model(name: str) -> bool:
    """Whether a name is of a model alone, which says neither chips nor how many."""
    if preset_of(name) or name.endswith(".toml"):
        return False
    return is_configuration(name) or catalog.known_model(name) is not None


def model_of(target: Target) -> tuple[str, ModelSection]:
    """The model alone that a target stands for, with its name.

    Raises:
        InputError: nothing has that name.
    """
    if isinstance(target, Scenario):
        return target.name, target.model
    name = str(target)
    if is_configuration(name):
        return model_name(name), ModelSection(config=name)
    if (row := catalog.known_model(name)) is not None:
        return row.name, ModelSection(preset=row.name)
    scenario = load(name)
    return scenario.name, scenario.model


def of_model(model: str, values: Mapping[str, Any]) -> Scenario:
    """A scenario made of a model, in any form that `model_of` reads, and values alone.

    Without tokens it has the published ones of the model, where the catalog knows them.

    Raises:
        InputError: there is no such model, or the values do not make a whole scenario.
    """
    name, section = model_of(model)
    of_it = section.model_dump(mode="json", exclude_defaults=True)
    table: dict[str, Any] = {"name": name, "model": of_it, "run": {}, "hardware": {}}
    row = catalog.known_model(section.preset or "")
    if row is not None and row.tokens and not any(values.get(key) for key in NEEDS["tokens"][0]):
        values = {**values, "run.tokens": row.tokens, "run.tokens_from": row.name}
    absent = [
        (need, fix)
        for need, (keys, fix) in NEEDS.items()
        if all(values.get(key) is None for key in keys)
    ]
    if absent:
        raise InputError(
            f"expected tokens and a chip for the model {name}",
            ", ".join(f"no {need}" for need, _ in absent),
            f"for example {' '.join(fix for _, fix in absent)}",
        )
    return with_overrides(table, values, f"the run of {name}")


def named(name: str | None, model: str | None, values: Mapping[str, Any]) -> Scenario:
    """A scenario from a command line: by its name, or made of a model and values alone.

    Raises:
        InputError: neither or both are named, or the scenario is not valid.
    """
    if (name is None) == (model is None):
        raise InputError(
            "expected a scenario or --model",
            "both" if name else "neither",
            "leave one out" if name else "for example: simulator predict glam-64b-64e",
        )
    if name is not None:
        return _of_name(name, values)
    assert model is not None
    return of_model(model, values)


def quick(
    *,
    tokens: Tokens | None = None,
    steps: int | None = None,
    batch: int | None = None,
    seq_len: int | None = None,
    chip: str | None = None,
    count: int | None = None,
    machine: str | Path | None = None,
    zone: str | None = None,
    chip_price: float | None = None,
) -> dict[str, Any]:
    """Overrides for the most common options; a value takes the place of its alternative."""
    values: dict[str, Any] = {}
    if tokens is not None:
        values |= {"run.tokens": tokens, "run.steps": None}
    if steps is not None:
        values |= {"run.steps": steps, **({} if tokens is not None else {"run.tokens": None})}
    if batch is not None:
        values |= {"run.batch_sequences": batch, "run.batch_tokens": None}
    if seq_len is not None:
        values["model.shape.seq_len"] = seq_len
    if chip is not None:
        values |= {"hardware.chip": chip, "hardware.machine": None}
    if machine is not None:
        values |= {"hardware.machine": str(machine)}
        values |= {} if chip is not None else {"hardware.chip": None}
    if count is not None:
        values["hardware.count"] = count
    if zone is not None:
        values |= {f"site.{figure}": None for figure in OF_THE_GRID} | {"site.zone": zone}
    if chip_price is not None:
        values["site.chip_price"] = chip_price
    return values


def _changed(scenario: Scenario, values: Mapping[str, Any]) -> Scenario:
    """A scenario with other values, checked as a file is."""
    if not values:
        return scenario
    table = scenario.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return with_overrides(table, values, f"scenario {scenario.name}")
