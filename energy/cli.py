"""The command `energy`: mounts the verbs, each of which stands with its question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from energy.guard import start

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer import Typer

PASSES_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""Settings of a verb whose last argument is a command: its options are not ours."""


def command() -> Typer:
    """The command with its verbs."""
    from energy.app import mount, new_app
    from energy.commands import disclosing, facts, runs, spending, trust

    app = new_app(
        "energy",
        "What a run spends: joules, FLOP, CO2, water and money, with boundary, origin and band.",
        "0 yes, 2 usage, 3 infeasible, 4 data missing, 5 outside tolerance",
    )
    questions: dict[str, tuple[Callable[..., None], ...]] = {
        "What does a run spend?": (
            spending.run,
            spending.watch,
            spending.record,
            spending.merge,
            spending.import_,
        ),
        "What did runs spend?": (
            runs.list_,
            runs.compare,
            runs.hourly,
            runs.trace,
            disclosing.report,
        ),
        "Can it be true?": (disclosing.lint,),
        "What can be metered here, and how well?": (trust.doctor, trust.calibrate, trust.verify),
        "Which facts and formats are used?": (facts.grid, facts.schema),
    }
    for question, verbs in questions.items():
        for verb in verbs:
            settings = PASSES_ON if verb is spending.run else None
            mount(app, question, verb, name=verb.__name__.rstrip("_"), settings=settings)
    return app


def main() -> None:
    """Run the command; an expected error becomes one line and an exit code."""
    start(command)


if __name__ == "__main__":  # python -m energy.cli
    main()
