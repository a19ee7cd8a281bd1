"""The command `simulator`: mounts the verbs, each of which stands with its question."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from energy.console import guard, print_version
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

ABOUT = "What a training run would spend: FLOP, time, energy, CO2, before it is run."


def command(verbs: tuple[Callable[..., None], ...] = VERBS) -> typer.Typer:
    """The command with some verbs."""
    app = typer.Typer(
        name="simulator",
        help=ABOUT,
        epilog="Exit codes: 0 yes, 2 usage, 3 infeasible, 4 data missing, 5 outside tolerance.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for verb in verbs:
        app.command(epilog=epilog(verb))(verb)

    @app.callback()
    def simulator(
        version: Annotated[
            bool,
            typer.Option(
                "--version", help="Print the version.", callback=print_version, is_eager=True
            ),
        ] = False,
    ) -> None:
        pass

    return app


def main() -> None:
    """Run the command; errors become one line and an exit code."""
    # Most of a short command is imports, whose objects all stay: look for garbage less often, and
    # not at all for plugins. The options of a verb take milliseconds to read: read those of one.
    gc.set_threshold(100_000, 20, 20)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    named = tuple(verb for verb in VERBS if verb.__name__ == first)
    guard(command(named or VERBS))


if __name__ == "__main__":  # python -m simulator.cli
    main()
