"""The planner on four published models: how many plans, how fast, and where the published one is.

Each question is asked as a user asks it, in a process of its own held to one core; seconds are
those of the whole process, from start to printed answer.

    python -m benchmarks.simulator.plans [--write docs/planner.md] [--times 5] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.pages import markdown_table, print_table, split_at_marks, write_between
from energy.console import guard, print_json
from energy.errors import AccountingError, InputError

MARK, ANSWER = "gates: benchmarks.simulator.plans", "answer: benchmarks.simulator.plans"
COLUMNS = (
    "question",
    "plans searched",
    "fit",
    "seconds, median",
    "least",
    "best, step",
    "published, against the best",
    "met",
)
LEAST_PLANS, MOST_S, MOST_WORSE = 100_000, 2.0, 0.15


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        what: in words.
        words: of the command after `simulator plan`.
        gate: whether the limits are those of this question, or it stands beside another.
    """

    what: str
    words: str
    gate: bool = True


GPT3 = "gpt3-175b --chip a100 --chips 1024 --tokens 300e9 --batch 1536"
QUESTIONS = (
    Question(
        "GLaM 64B/64E, 1,024 TPU v4",
        "glam-64b-64e --set plan.optimizer=adafactor --set plan.weight_bytes=4",
    ),
    Question("GPT-3, 1,024 A100", GPT3),
    Question(
        "the same with the software of its time",
        f"{GPT3} --set hardware.software=megatron-2021 --set plan.zero=0",
        gate=False,
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
    """What a question gave.

    Attributes:
        question: that was asked.
        told: by --json.
        seconds: of each process.
    """

    question: Question
    told: dict[str, Any]
    seconds: list[float]

    @property
    def median_s(self) -> float:
        """Seconds of the process in the middle."""
        return statistics.median(self.seconds)

    @property
    def published(self) -> float | None:
        """The published plan against the best; None where it does not fit or none is known."""
        plans = [one["plan"]["worse"] for one in self.told["published"] if one["fits"]]
        return min(plans, default=None)

    @property
    def met(self) -> dict[str, bool]:
        """Each limit, and whether it is kept."""
        worse = self.published
        return {
            f"{LEAST_PLANS:,} plans": self.told["searched"] >= LEAST_PLANS,
            f"{MOST_S:g} s": self.median_s <= MOST_S,
            "fits": worse is not None,
            f"within {MOST_WORSE:.0%}": worse is not None and worse <= MOST_WORSE,
        }

    def cells(self) -> tuple[str, ...]:
        """As a row of the table."""
        told, worse = self.told, self.published
        missed = [name for name, kept in self.met.items() if not kept]
        verdict = "yes" if not missed else f"all but {', '.join(missed)}"
        return (
            self.question.what,
            f"{told['searched']:,}",
            f"{told['fit']:,}",
            f"{self.median_s:.2f}",
            f"{min(self.seconds):.2f}",
            f"{told['best']['words']}; {told['best']['step_s']:.3g} s",
            "does not fit" if worse is None else f"{worse:+.1%}",
            verdict if self.question.gate else "beside",
        )


SHOWN = (
    "mixtral-8x7b --chip h100 --chips 64 --region FRA --tokens 1e12 --batch 1024 --top 3 "
    "--price h100-on-demand-2026"
)
"""The question whose printed answer stands on the page."""


def printed(words: str) -> str:
    """A question as it is typed, and its answer as it is printed."""
    done = asked(words)
    lines = (line.rstrip() for line in done.stdout.rstrip().splitlines())
    return "\n".join(("```", f"$ simulator plan {words}", *lines, "```"))


def asked(words: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own.

    Raises:
        AccountingError: it refused.
    """
    code = "from simulator.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "plan", *words.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AccountingError(f"expected an answer to simulator plan {words}", done.stderr.strip())
    return done


def answered(question: Question, times: int) -> Answer:
    """Ask a question some times over."""
    seconds, out = [], ""
    for _ in range(times):
        start = time.perf_counter()
        out = asked(f"{question.words} --json").stdout
        seconds.append(time.perf_counter() - start)
    return Answer(question, json.loads(out), seconds)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", type=Path, help="a page whose table of gates is made anew")
    parser.add_argument("--times", type=int, default=5, help="processes a question")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    chosen = parser.parse_args()
    guard(lambda: run(chosen))


def run(chosen: argparse.Namespace) -> None:
    """Ask every question; print the table, and write it where that is asked for.

    Raises:
        InputError: there is nothing to take a median of, or the page has no place for the table.
    """
    if chosen.times < 1:
        raise InputError("expected --times of at least 1", f"{chosen.times}")
    for mark in (MARK, ANSWER) if chosen.write else ():
        split_at_marks(chosen.write, mark)
    # A user's process has all cores; the gate is about one.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found = [answered(question, chosen.times) for question in QUESTIONS]
    if chosen.write:
        write_between(chosen.write, MARK, markdown_table(COLUMNS, [one.cells() for one in found]))
        write_between(chosen.write, ANSWER, printed(SHOWN))
    if chosen.json:
        print_json(
            {
                "gates": [
                    {
                        "what": one.question.what,
                        "command": f"simulator plan {one.question.words}",
                        "searched": one.told["searched"],
                        "fit": one.told["fit"],
                        "seconds": one.seconds,
                        "published_worse": one.published,
                        "met": one.met,
                    }
                    for one in found
                ]
            }
        )
        return
    print_table(COLUMNS, [one.cells() for one in found])


if __name__ == "__main__":
    main()
