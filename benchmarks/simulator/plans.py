"""The planner on four published models: plans searched, time, and the rank of the published plan.

Each question runs as a user would run it, as a process pinned to one core; seconds are processor
time of the whole process, which on a core of its own is the time that a user waits.

    python -m benchmarks.simulator.plans [--write docs/planner.md] [--times 5] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.pages import markdown_table, print_table, split_at_marks, write_between
from benchmarks.process import Finished, run_process
from energy.console import print_json
from energy.errors import InputError
from energy.guard import guard

MARK, ANSWER_MARK = "gates: benchmarks.simulator.plans", "answer: benchmarks.simulator.plans"
HEADS = (
    "question",
    "plans searched",
    "fit in memory",
    "median, processor s",
    "fastest",
    "best plan, step time",
    "published plan against it",
    "met",
)
LEAST_PLANS, MOST_S, MOST_SLOWER = 100_000, 2.0, 0.15
"""Limits: plans searched, processor seconds, and the published plan's step over the best."""


@dataclass(frozen=True)
class Question:
    """One question to `simulator plan`.

    Attributes:
        name: what is planned, in words.
        arguments: of `simulator plan`.
        gated: whether the limits apply; otherwise the row stands beside another.
    """

    name: str
    arguments: str
    gated: bool = True


GPT3 = "gpt3-175b --chip a100 --chips 1024 --tokens 300e9 --batch 1536"
QUESTIONS = (
    Question(
        "GLaM 64B/64E, 1,024 TPU v4",
        "glam-64b-64e --set plan.optimizer=adafactor --set plan.weight_bytes=4",
    ),
    Question("GPT-3, 1,024 A100", GPT3),
    Question(
        "GPT-3, with the software of its time",
        f"{GPT3} --set hardware.software=megatron-2021 --set plan.zero=0",
        gated=False,
    ),
    Question(
        "DeepSeek-V3, 2,048 H800",
        "deepseek-v3 --chip h800 --chips 2048 --batch 15360 --set hardware.precision=fp8",
    ),
    Question(
        "Mixtral 8x7B, 64 H100",
        "mixtral-8x7b --chip h100 --chips 64 --tokens 1e12 --batch 512 "
        "--set model.shape.seq_len=8192",
    ),
)


@dataclass(frozen=True)
class Answer:
    """The answer to a question.

    Attributes:
        question: the question.
        plans: the JSON of `simulator plan`.
        seconds: of the processor, of each process.
    """

    question: Question
    plans: dict[str, Any]
    seconds: list[float]

    @property
    def median_s(self) -> float:
        """Median processor seconds of a process."""
        return statistics.median(self.seconds)

    @property
    def published_slower(self) -> float | None:
        """Step time of the published plan over the best, less 1; None if no published plan fits."""
        slower = [each["plan"]["worse"] for each in self.plans["published"] if each["fits"]]
        return min(slower, default=None)

    @property
    def met(self) -> dict[str, bool]:
        """Each limit in words, and whether it is met."""
        slower = self.published_slower
        return {
            f"{LEAST_PLANS:,} plans": self.plans["searched"] >= LEAST_PLANS,
            f"{MOST_S:g} s": self.median_s <= MOST_S,
            "fits": slower is not None,
            f"within {MOST_SLOWER:.0%}": slower is not None and slower <= MOST_SLOWER,
        }

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        plans, slower = self.plans, self.published_slower
        missed = [name for name, met in self.met.items() if not met]
        verdict = "yes" if not missed else f"all but {', '.join(missed)}"
        return (
            self.question.name,
            f"{plans['searched']:,}",
            f"{plans['fit']:,}",
            f"{self.median_s:.2f}",
            f"{min(self.seconds):.2f}",
            f"{plans['best']['words']}; {plans['best']['step_s']:.3g} s",
            "does not fit" if slower is None else f"{slower:+.1%}",
            verdict if self.question.gated else "not a gate",
        )

    def as_json(self) -> dict[str, Any]:
        """The answer, its times and the limits, for `--json`."""
        return {
            "name": self.question.name,
            "command": f"simulator plan {self.question.arguments}",
            "searched": self.plans["searched"],
            "fit": self.plans["fit"],
            "seconds": self.seconds,
            "published_slower": self.published_slower,
            "met": self.met,
        }


PRINTED = (
    "mixtral-8x7b --chip h100 --chips 64 --region FRA --tokens 1e12 --batch 1024 --top 3 "
    "--price h100-on-demand-2026"
)
"""Arguments of the question whose printed answer stands on the page."""


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", type=Path, help="page whose table and example are replaced")
    parser.add_argument("--times", type=int, default=5, help="processes for each question (5)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    guard(lambda: run(options.times, options.write, as_json=options.json))


def run(times: int, page: Path | None, *, as_json: bool) -> None:
    """Ask every question, print the table, and write it into the page.

    Args:
        times: processes for each question.
        page: file whose table and example are replaced; None writes nothing.
        as_json: print JSON in place of the table.

    Raises:
        InputError: there are no processes, or the page has no place for the table.
    """
    if times < 1:
        raise InputError("expected --times of at least 1", f"{times}")
    if page:
        for mark in (MARK, ANSWER_MARK):
            split_at_marks(page, mark)
    # A user's process has all cores; the limit is for one.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    answers = [answer(question, times) for question in QUESTIONS]
    rows = [each.cells() for each in answers]
    if page:
        write_between(page, MARK, markdown_table(HEADS, rows))
        write_between(page, ANSWER_MARK, printed_answer(PRINTED))
    if as_json:
        print_json({"gates": [each.as_json() for each in answers]})
        return
    print_table(HEADS, rows)


def answer(question: Question, times: int) -> Answer:
    """Ask a question several times.

    Raises:
        AccountingError: the planner refused it.
    """
    processes = [run_plan(f"{question.arguments} --json") for _ in range(times)]
    seconds = [process.processor_s for process in processes]
    return Answer(question, json.loads(processes[-1].stdout), seconds)


def printed_answer(arguments: str) -> str:
    """A question as it is typed and the answer as it is printed, as a block of Markdown."""
    lines = (line.rstrip() for line in run_plan(arguments).stdout.rstrip().splitlines())
    return "\n".join(("```", f"$ simulator plan {arguments}", *lines, "```"))


def run_plan(arguments: str) -> Finished:
    """Run `simulator plan` as a process of its own.

    Raises:
        AccountingError: it failed.
    """
    return run_process([sys.executable, "-m", "simulator.cli", "plan", *arguments.split()])


if __name__ == "__main__":
    main()
