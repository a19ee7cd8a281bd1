"""The models of a search: one scenario for each, with the run of the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from energy.errors import require_choice
from simulator.quality.laws import DEFAULT_LAW, law
from simulator.quality.match import EQUALS, match
from simulator.scenarios.request import Target, model_of, scenario_of
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.variants import with_tokens


def of_models(
    targets: Sequence[Target],
    overrides: dict[str, Any],
    equal: str = "tokens",
    *,
    beyond_range: bool = False,
) -> list[Scenario]:
    """One scenario a model: the first as it is, the others with their model in its place.

    Args:
        targets: each a scenario, a preset, a file or a model of the catalog; of a further one, only
            its model counts.
        overrides: values of the first, by dotted key.
        equal: tokens, or quality: each further model reads what brings it to the first one's loss
            by the usual law (`simulator.quality.match.match`).
        beyond_range: apply that law outside the range that it was fitted to.

    Raises:
        InputError: a name is unknown.
        InfeasibleError: a model never has the loss of the first, or is outside the law's range.
    """
    require_choice("--equal", equal, EQUALS)
    first = scenario_of(targets[0], overrides=overrides)
    scenarios = [first]
    for target in targets[1:]:
        name, model = model_of(target)
        scenario = first.model_copy(update={"name": name, "model": model})
        if equal == "quality":
            central = law(DEFAULT_LAW)
            matched = match(first, scenario, central, beyond_range=beyond_range)
            scenario = with_tokens(scenario, matched.tokens.numbers()[0])
        scenarios.append(scenario)
    return scenarios
