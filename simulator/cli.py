"""The command `simulator`: mounts the verbs, each of which stands with its question."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterable
from importlib import import_module

import typer

from energy.app import new_app
from energy.console import guard
from simulator.kit.options import epilog

Verb = Callable[..., None]

VERBS = {
    "init": "predict",
    "predict": "predict",
    "compare": "compare",
    "sensitivity": "sensitivity",
    "plan": "plan",
    "pareto": "sweep",
    "feasible": "sweep",
    "power": "power",
    "inverse": "budget",
    "crossover": "budget",
    "failures": "failures",
    "when": "when",
    "regions": "regions",
    "calibrate": "calibrate",
    "validate": "validate",
    "models": "catalog",
    "chips": "catalog",
    "prices": "catalog",
}
"""The verbs, each with the folder of its question, whose command.py has it."""

ABOUT = "What a training run would spend: FLOP, time, energy, CO2, before it is run."


def verb_of(name: str) -> Verb:
    """The function of a verb."""
    verb: Verb = getattr(import_module(f"simulator.questions.{VERBS[name]}.command"), name)
    return verb


def command(names: Iterable[str] = VERBS) -> typer.Typer:
    """The command with some verbs."""
    app = new_app(
        "simulator", ABOUT, "0 yes, 2 usage, 3 infeasible, 4 data missing, 5 outside tolerance"
    )
    for name in names:
        verb = verb_of(name)
        app.command(epilog=epilog(verb))(verb)

    return app


def main() -> None:
    """Run the command; errors become one line and an exit code."""
    # A short command is mostly imports. Their objects all stay, so garbage is collected less often;
    # no plugin is looked for, and only the verb that runs is loaded.
    gc.set_threshold(100_000, 20, 20)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    guard(command([first] if first in VERBS else VERBS))


if __name__ == "__main__":  # python -m simulator.cli
    main()
