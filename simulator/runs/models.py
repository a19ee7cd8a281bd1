"""The models of a search: one scenario for each, with the run of the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from energy.errors import InputError, nearest, require_choice
from energy.facts import catalog
from simulator.quality.laws import DEFAULT_LAW, law
from simulator.quality.match import EQUALS, match
from simulator.scenarios.request import is_model, of_model
from simulator.scenarios.scenario import Scenario, load, presets
from simulator.scenarios.sections import ModelSection
from simulator.scenarios.variants import with_tokens


def of_models(
    names: Sequence[str], overrides: dict[str, Any], equal: str = "tokens"
) -> list[Scenario]:
    """One scenario a model: the first as it is, the others with their model in its place.

    Args:
        names: a preset, a file or a model of the catalog; of a further one, only its model counts.
        overrides: values of the first, by dotted key.
        equal: tokens, or quality: each further model reads what brings it to the first one's loss
            by the usual law (`simulator.quality.match.match`).

    Raises:
        InputError: a name is unknown.
        InfeasibleError: a model never has the loss of the first.
    """
    require_choice("--equal", equal, EQUALS)
    models = [row.name for row in catalog.models()]
    name = names[0]
    first = of_model(name, overrides) if is_model(name) else load(name, overrides)
    scenarios = [first]
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
        scenario = first.model_copy(update={"name": other, "model": model})
        if equal == "quality":
            matched = match(first, scenario, law(DEFAULT_LAW))
            scenario = with_tokens(scenario, matched.tokens.numbers()[0])
        scenarios.append(scenario)
    return scenarios
