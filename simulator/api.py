"""The questions as functions: `from simulator import predict` loads no library until it is called.

Every function takes the first argument of its verb, and the options of the verb as keywords.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.runs.predict import Prediction
    from simulator.scenarios.scenario import Scenario


def load_scenario(name: str, overrides: dict[str, Any] | None = None) -> Scenario:
    """Read a scenario: a preset by its name, or a TOML file by its path.

    Args:
        name: "glam-64b-64e", or "my/run.toml".
        overrides: values by dotted key that replace those of the file: {"run.tokens": 2.8e11}.

    Raises:
        InputError: no such preset or file, or a key or value in it that is not valid.
    """
    from simulator.scenarios.scenario import load

    return load(name, overrides)


def presets() -> tuple[str, ...]:
    """The names of the scenarios that are shipped."""
    from simulator.scenarios import scenario

    return scenario.presets()


def predict(scenario: Scenario) -> Prediction:
    """What a run would spend: its record, and how each of its numbers came about.

    Args:
        scenario: the run, as `load_scenario` reads it.

    Raises:
        InfeasibleError: the model does not fit in the memory of its chips.
        MissingDataError: a fact that the prediction needs is not known.
    """
    from simulator.runs.predict import predict

    return predict(scenario)
