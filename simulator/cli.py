"""The command `simulator`: mounts the verbs, each of which stands with its question."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Callable, Container
from importlib import import_module
from typing import TYPE_CHECKING

from energy.guard import start

if TYPE_CHECKING:
    from typer import Typer

Verb = Callable[..., None]

QUESTIONS = {
    "What would a run spend?": {
        "init": "predict",
        "predict": "predict",
        "compare": "compare",
        "sensitivity": "sensitivity",
        "failures": "failures",
    },
    "What does a model spend when it answers?": {"serve": "serve", "lifetime": "lifetime"},
    "Which plan, place and time?": {
        "plan": "plan",
        "sweep": "sweep",
        "pareto": "sweep",
        "feasible": "sweep",
        "inverse": "budget",
        "crossover": "budget",
        "when": "when",
        "regions": "regions",
        "power": "power",
    },
    "How good are the predictions?": {"calibrate": "calibrate", "validate": "validate"},
    "Which facts are used?": {"models": "catalog", "chips": "catalog", "prices": "catalog"},
}
"""The verbs by question, each with its folder, whose command.py has it."""

VERBS = {name: folder for verbs in QUESTIONS.values() for name, folder in verbs.items()}

ABOUT = "What a training run would spend: FLOP, time, energy, CO2, before it is run."


def verb_of(name: str) -> Verb:
    """The function of a verb."""
    verb: Verb = getattr(import_module(f"simulator.questions.{VERBS[name]}.command"), name)
    return verb


def command(names: Container[str] = VERBS) -> Typer:
    """The command with some verbs."""
    from energy.app import mount, new_app

    app = new_app(
        "simulator", ABOUT, "0 yes, 2 usage, 3 infeasible, 4 data missing, 5 outside tolerance"
    )
    for question, verbs in QUESTIONS.items():
        for name in verbs:
            if name in names:
                mount(app, question, verb_of(name))
    return app


def main() -> None:
    """Run the command; errors become one line and an exit code."""
    # A short command is mostly imports. Their objects all stay, so garbage is collected less often,
    # and not at the end, when the system takes all memory back; no plugin is looked for, OpenBLAS
    # starts no threads for its small matrices, and only the verb that runs is loaded.
    gc.set_threshold(100_000, 20, 20)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    atexit.register(gc.freeze)
    start(lambda: command([first] if first in VERBS else VERBS))


if __name__ == "__main__":  # python -m simulator.cli
    main()
