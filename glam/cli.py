"""The command `glam`: mounts its verbs by the question that they answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from energy.guard import start

if TYPE_CHECKING:
    from typer import Typer


def command() -> Typer:
    """The command with its verbs."""
    from energy.app import mount, new_app
    from glam.verbs import evaluation, finetuning, generation, probing, specialization, training

    app = new_app(
        "glam",
        "A GLaM trainer: mixture-of-experts and dense language models, metered by energy.",
        "0 yes, 2 usage, 3 infeasible, 4 data missing, 130 interrupted",
    )
    questions: dict[str, tuple[Callable[..., None], ...]] = {
        "How is a model trained, and what does it write?": (
            training.sizes,
            training.train,
            finetuning.finetune,
            generation.generate,
        ),
        "What has it learned?": (
            evaluation.items,
            evaluation.evaluate,
            evaluation.compare,
            specialization.experts,
        ),
        "How fast is this machine?": (probing.probe,),
    }
    for question, answers in questions.items():
        for verb in answers:
            mount(app, question, verb, name="eval" if verb is evaluation.evaluate else None)
    return app


def main() -> None:
    """Run the command; an error becomes one line and an exit code."""
    start(command)


if __name__ == "__main__":  # python -m glam.cli
    main()
