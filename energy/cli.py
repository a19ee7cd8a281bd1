"""The command `energy`: mounts the verbs, each of which stands with its question."""

from __future__ import annotations

from energy.app import mount, new_app
from energy.commands import facts, runs, spending, trust
from energy.console import guard

QUESTIONS = {
    "What does a run spend?": (spending.run, spending.watch, spending.record, spending.merge),
    "What did runs spend?": (runs.report,),
    "What can be metered here, and how well?": (trust.doctor, trust.calibrate, trust.verify),
    "Which facts and formats are used?": (facts.grid, facts.schema),
}
"""The verbs, by the question that they answer."""

PASSES_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""Settings of a verb whose last argument is a command: its options are not ours."""

app = new_app(
    "energy",
    "What a run spends: joules, FLOP, CO2, water and money, with boundary, origin and band.",
    "0 yes, 2 usage, 3 infeasible, 4 data missing, 5 outside tolerance",
)
for question, verbs in QUESTIONS.items():
    for verb in verbs:
        mount(app, question, verb, settings=PASSES_ON if verb is spending.run else None)


def main() -> None:
    """Run the command; an expected error becomes one line and an exit code."""
    guard(app)


if __name__ == "__main__":  # python -m energy.cli
    main()
