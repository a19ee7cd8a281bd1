"""The command `simulator`: mounts the verbs, each of which stands with its question."""

from __future__ import annotations

from collections.abc import Callable

import typer

from energy.console import guard
from simulator.kit.options import epilog
from simulator.questions.budget.command import crossover, inverse
from simulator.questions.calibrate.command import calibrate
from simulator.questions.catalog.command import chips, models, prices
from simulator.questions.compare.command import compare
from simulator.questions.failures.command import failures
from simulator.questions.plan.command import plan
from simulator.questions.power.command import power
from simulator.questions.predict.command import init, predict
from simulator.questions.regions.command import regions
from simulator.questions.sensitivity.command import sensitivity
from simulator.questions.sweep.command import feasible, pareto
from simulator.questions.validate.command import validate
from simulator.questions.when.command import when

VERBS: tuple[Callable[..., None], ...] = (
    init,
    predict,
    compare,
    sensitivity,
    plan,
    pareto,
    feasible,
    power,
    inverse,
    crossover,
    failures,
    when,
    regions,
    calibrate,
    validate,
    models,
    chips,
    prices,
)

app = typer.Typer(
    name="simulator",
    help="What a training run would spend: FLOP, time, energy, CO2, before it is run.",
    epilog="Exit codes: 0 yes, 2 usage, 3 infeasible, 4 data missing, 5 outside tolerance.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _verb in VERBS:
    app.command(epilog=epilog(_verb))(_verb)


def main() -> None:
    """Run the command; errors become one line and an exit code."""
    guard(app)


@app.callback()
def simulator() -> None:
    """What a training run would spend: FLOP, time, energy, CO2, before it is run."""


if __name__ == "__main__":  # python -m simulator.cli
    main()
