"""From a scenario to one optimiser step: hardware, plan and constants put together.

This is where the product meets the physics: `predict` needs seconds by part, FLOP by part and the
watts of a chip, each with its band, and does not ask how they are made.
"""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from energy.errors import InputError, nearest
from energy.facts import catalog
from energy.shape import Shape
from simulator.facts.software import Software, framework_of, named_software
from simulator.fit.machine import load_machine
from simulator.fit.pool import load_pool, published_pool
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.plan import Plan
from simulator.scenarios.expert_load import expert_load
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.sections import HardwareSection

FROM_SCENARIO = ("n_chips", "global_batch")


PLAN_KEYS = {item.name: item.default for item in fields(Plan) if item.name not in FROM_SCENARIO}
"""Keys of [plan], with what stands in for those that are left out."""


def plan_fields(scenario: Scenario, shape: Shape) -> dict[str, Any]:
    """What a scenario says of its plan, with the load of its experts read where it names one.

    Raises:
        InputError: a key is not a field of `Plan`, a value is not of its kind, or the load is not
            that of the model's experts, or imbalance is given too.
    """
    for key, value in scenario.plan.items():
        if key not in PLAN_KEYS:
            raise InputError("expected a known key in [plan]", key, nearest(key, PLAN_KEYS))
        kind, words = _kind(key)
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise InputError(f"expected {words} for plan.{key}", f"{value!r}")
    found = dict(scenario.plan)
    if "expert_load" in found:
        if "imbalance" in found:
            raise InputError("expected imbalance or expert_load in [plan]", "both", "leave one out")
        found["expert_load"] = load = expert_load(found["expert_load"])
        if load.table.shape[-1] != float(shape.n_experts):
            raise InputError(
                f"expected expert_load of {shape.n_experts:g} experts",
                f"{load.table.shape[-1]} in {load.source}",
            )
    return found


def _kind(key: str) -> tuple[type | tuple[type, ...], str]:
    """What a field of a plan is written as, and in words."""
    if key == "expert_load":
        return (str, list), "a file or a list of shares"
    if isinstance(PLAN_KEYS[key], bool):
        return bool, "true or false"
    if isinstance(PLAN_KEYS[key], str):
        return str, "a word"
    return (int, float), "a number"


def allowed(scenario: Scenario) -> dict[str, list[Any]]:
    """What the software of a scenario offers of what is searched."""
    return software_of_scenario(scenario).allowed()


def software_of_scenario(scenario: Scenario) -> Software:
    """The software that a scenario names, or the usual one of its chip."""
    section = scenario.hardware
    return named_software(section.software or usual_software(section.chip or ""))


def usual_widths(scenario: Scenario) -> dict[str, Any]:
    """Formats and execution that follow from a scenario's software and precision."""
    software = software_of_scenario(scenario)
    return software.formats(scenario.hardware.precision) | software.execution()


def machine_of(scenario: Scenario, shape: Shape) -> tuple[Hardware, Constants, tuple[str, ...]]:
    """The hardware of a scenario, its constants, and a note on where both come from."""
    section = scenario.hardware
    if section.machine is not None:
        machine = load_machine(Path(section.machine))
        note = f"calibrated machine: {section.machine}"
        return replace(machine.hardware, **_links(section)), machine.constants, (note,)
    assert section.chip is not None
    chip = catalog.chip(section.chip)
    pool = load_pool(Path(section.constants)) if section.constants else published_pool()
    software = section.software or usual_software(chip.id)
    framework = section.framework or ""
    words = {
        "architecture": chip.architecture or "other",
        "software": software,
        "framework": framework_of(framework) if framework else "",
        "release": framework.lower(),
    }
    constants = pool.constants(**words)
    kind = "moe" if np.any(np.asarray(shape.n_moe_layers) > 0) else "dense"
    low, high = pool.band(kind, framework=words["framework"], architecture=words["architecture"])
    band = (float(np.expm1(-high)), float(np.expm1(-low)))
    hardware = replace(
        Hardware.from_chip(chip, section.precision, constants),
        time_relative=band,
        **_links(section),
    )
    seen = chip.architecture in pool.deviations.get("architecture", {})
    among = "with" if seen else "none of them on"
    note = (
        f"constants fitted to {pool.provenance.get('rows', 0):,} rows, {among} "
        f"{chip.architecture}; software {software}"
    )
    return hardware, constants, (note,)


def _links(section: HardwareSection) -> dict[str, Any]:
    """Speeds that a scenario gives instead of its chip's."""
    return {
        name: value
        for name in ("link_bytes_per_s", "network_bytes_per_s")
        if (value := getattr(section, name)) is not None
    }


def usual_software(chip: str) -> str:
    """The software of a chip where a scenario names none."""
    return "xla" if catalog.chip(chip).link_axes else "megatron"
