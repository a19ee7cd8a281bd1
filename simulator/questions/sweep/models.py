"""The models of a sweep: a run, and models to put into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from energy.errors import InputError
from simulator.quality.critical_batch import with_batch
from simulator.questions.sweep.cells import Choices
from simulator.runs.models import of_models
from simulator.scenarios.request import Target, Tokens, is_model, quick
from simulator.scenarios.scenario import Scenario


class Models(NamedTuple):
    """The name of a sweep's run, its scenarios, and what must be known of them."""

    name: str
    scenarios: list[Scenario]
    notes: tuple[str, ...]


def models(
    targets: Sequence[Target],
    choices: Choices,
    tokens: Tokens | None,
    overrides: Mapping[str, Any] | None,
    equal: str,
    count: int | None = None,
    *,
    beyond_range: bool = False,
) -> Models:
    """One scenario a model and batch; a model alone gets the first chips that are named.

    Args:
        targets: the run, and models to put into it.
        choices: of chips and counts, and of batches, each with the tokens that it needs.
        tokens: of the run.
        overrides: of the run, by dotted key.
        equal: tokens or quality.
        count: of chips, for a model alone where the choices name none.
        beyond_range: apply the law of loss outside the range that it was fitted to.

    Raises:
        InputError: a name or value is not valid.
        InfeasibleError: a model never has the loss of the first.
    """
    if not targets:
        raise InputError("expected a run, or a model", "nothing", "name a preset or a file")
    values = quick(tokens=tokens)
    if not isinstance(targets[0], Scenario) and is_model(str(targets[0])):
        first = next(iter(choices.counts), count)
        values |= quick(chip=next(iter(choices.chips), None), count=first)
    values |= dict(overrides or {})
    runs = of_models(targets, values, equal, beyond_range=beyond_range)
    if not choices.batches:
        return Models(runs[0].name, runs, ())
    priced = [with_batch(run, batch) for run in runs for batch in dict.fromkeys(choices.batches)]
    named = [
        each.scenario.model_copy(
            update={"name": f"{each.scenario.name}, batch {each.scenario.run.batch_sequences:,}"}
        )
        for each in priced
    ]
    return Models(runs[0].name, named, tuple(dict.fromkeys(each.note for each in priced)))
