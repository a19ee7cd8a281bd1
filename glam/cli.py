"""The command `glam`: names its verbs by the question that they answer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from energy.guard import start

if TYPE_CHECKING:
    from typer import Typer

    from energy.app import Verbs

VERBS: Verbs = {
    "How is a model trained, and what does it write?": {
        "sizes": (
            "glam.verbs.training",
            "List the models that can be trained, with parameter counts.",
        ),
        "train": ("glam.verbs.training", "Train a model under the meters."),
        "finetune": (
            "glam.verbs.finetuning",
            "Tune a model on tasks under the meters, with loss on answers.",
        ),
        "generate": (
            "glam.verbs.generation",
            "Continue one prompt, or many in batches, with a trained model.",
        ),
    },
    "What has it learned?": {
        "items": ("glam.verbs.evaluation", "Make questions of text that a run was not trained on."),
        "eval": (
            "glam.verbs.evaluation:evaluate",
            "Ask a model the paper's 29 tasks or home-made ones, metered.",
        ),
        "compare": (
            "glam.verbs.evaluation",
            "Test whether one of two evaluations has more right answers.",
        ),
        "experts": (
            "glam.verbs.specialization",
            "Show which tokens each expert takes, and what it is worth.",
        ),
    },
    "How fast is this machine?": {
        "probe": (
            "glam.verbs.probing",
            "Time operations on this machine, for simulator calibrate.",
        ),
    },
}


def command(arguments: Sequence[str] | None = None) -> Typer:
    """The command with its verbs, or with those that its arguments need."""
    from energy.app import build

    return build(
        "glam",
        "A GLaM trainer: mixture-of-experts and dense language models, metered by energy.",
        "0 yes, 2 usage, 3 infeasible, 4 data missing, 130 interrupted",
        VERBS,
        arguments,
    )


def main() -> None:
    """Run the command; an error becomes one line and an exit code."""
    start(lambda: command(sys.argv[1:]))


if __name__ == "__main__":  # python -m glam.cli
    main()
