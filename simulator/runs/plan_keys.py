"""The keys of [plan] in a scenario: the fields of a plan that no other section sets."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from energy.errors import InputError, nearest
from energy.shape import Shape
from simulator.physics.plan import Plan
from simulator.physics.workload import Workload
from simulator.scenarios.expert_load import expert_load
from simulator.scenarios.scenario import Scenario

FROM_SCENARIO = (
    *("n_chips", "global_batch", "product_bytes"),
    *(item.name for item in fields(Workload)),
)
PLAN_KEYS = {item.name: item.default for item in fields(Plan) if item.name not in FROM_SCENARIO}
"""Keys of [plan], with the default of each."""


def plan_fields(scenario: Scenario, shape: Shape) -> dict[str, Any]:
    """What a scenario says of its plan, with the load of its experts read where it names one.

    Raises:
        InputError: a key is not a field of `Plan`, a value is not of its kind, the load is not
            that of the model's experts, or imbalance is there too.
    """
    for key, value in scenario.plan.items():
        if key not in PLAN_KEYS:
            raise InputError("expected a known key in [plan]", key, nearest(key, PLAN_KEYS))
        kind, words = _kind(key)
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise InputError(f"expected {words} for plan.{key}", f"{value!r}")
    chosen = dict(scenario.plan)
    if "expert_load" in chosen:
        if "imbalance" in chosen:
            raise InputError("expected imbalance or expert_load in [plan]", "both", "leave one out")
        chosen["expert_load"] = load = expert_load(chosen["expert_load"])
        if load.table.shape[-1] != float(shape.n_experts):
            raise InputError(
                f"expected expert_load of {shape.n_experts:g} experts",
                f"{load.table.shape[-1]} in {load.source}",
            )
    return chosen


def _kind(key: str) -> tuple[type | tuple[type, ...], str]:
    """The type of a key of [plan], and its name in words."""
    if key == "expert_load":
        return (str, list), "a file or a list of shares"
    if isinstance(PLAN_KEYS[key], bool):
        return bool, "true or false"
    if isinstance(PLAN_KEYS[key], str):
        return str, "a word"
    return (int, float), "a number"
