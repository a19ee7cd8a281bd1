"""The command `simulator`: names the verbs, each of which stands with its question."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from energy.guard import start

if TYPE_CHECKING:
    from typer import Typer

Verb = Callable[..., None]

QUESTIONS = {
    "What would a run spend?": {
        "init": ("predict", "Write a commented scenario file that is valid as it stands."),
        "predict": ("predict", "Predict FLOP, time, energy, CO2, water and cost of a run."),
        "compare": ("compare", "Compare runs side by side, and take their ratio apart."),
        "sensitivity": ("sensitivity", "Show which assumption drives a result."),
        "failures": ("failures", "Show what failures cost, and the best checkpoint interval."),
    },
    "What does a model spend when it answers?": {
        "serve": ("serve", "Predict joules a token, latency and memory of a served model."),
        "lifetime": ("lifetime", "Find the day on which serving has spent what training did."),
    },
    "Which plan, place and time?": {
        "plan": ("plan", "Find the best parallel plan, and say why the others lose."),
        "sweep": ("sweep", "Predict all models on all chips, counts and places."),
        "pareto": ("sweep", "Find what nothing else beats in time, energy, CO2e and money."),
        "feasible": ("sweep", "Find what keeps to a site's limits, or what must give."),
        "inverse": ("budget", "Find the most tokens or the largest model within a budget."),
        "crossover": ("budget", "Find where a mixture of experts stops paying off."),
        "when": ("when", "Find when to start and whether to pause, on a grid series."),
        "regions": ("regions", "List grid zones and data centers, or move a run to each."),
        "power": ("power", "Show what the site sees: megawatts, peak, least and ramp."),
    },
    "How good are the predictions?": {
        "calibrate": ("calibrate", "Fit the physical constants of a machine or a cluster."),
        "validate": ("validate", "Compare predictions with measurements that they never use."),
    },
    "Which facts are used?": {
        "models": ("catalog", "List models: counted and published parameters, shape, source."),
        "chips": ("catalog", "List chips: dense peaks, memory, watts; or write your own."),
        "prices": ("catalog", "List prices of chip-hours and electricity, or write yours."),
    },
}
"""The verbs by question, each with its folder, whose command.py has it, and its summary."""

VERBS = {name: folder for verbs in QUESTIONS.values() for name, (folder, _) in verbs.items()}


def verb_of(name: str) -> Verb:
    """The function of a verb."""
    verb: Verb = getattr(import_module(f"simulator.questions.{VERBS[name]}.command"), name)
    return verb


def command(arguments: Sequence[str] | None = None) -> Typer:
    """The command with its verbs, or with those that its arguments need."""
    from energy.app import build

    return build(
        "simulator",
        "What a training run would spend: FLOP, time, energy, CO2, before it is run.",
        "0 yes, 2 usage, 3 infeasible, 4 data missing, 5 outside tolerance",
        {
            question: {
                name: (f"simulator.questions.{folder}.command", summary)
                for name, (folder, summary) in verbs.items()
            }
            for question, verbs in QUESTIONS.items()
        },
        arguments,
    )


def main() -> None:
    """Run the command; errors become one line and an exit code."""
    # A short command is mostly imports. Their objects all stay, so garbage is collected less often,
    # and not at the end, when the system takes all memory back; no plugin is looked for, OpenBLAS
    # starts no threads for its small matrices, and only the verb that runs is loaded.
    gc.set_threshold(100_000, 20, 20)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    atexit.register(gc.freeze)
    start(lambda: command(sys.argv[1:]))


if __name__ == "__main__":  # python -m simulator.cli
    main()
