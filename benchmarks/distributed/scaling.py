"""Scaling from one process to two: our trainer, DistributedDataParallel and a plain reference.

    python -m benchmarks.distributed.scaling [--write docs/results-cluster.md] [--json]

All contestants are in one launch of two processes of one thread, and take turns; one process alone
works while the other waits. They train on batches of equal size with AdamW; the dense twin has
dense layers in place of the mixtures. Exit code 5 if a gate is missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.distributed.launch import command, environment
from benchmarks.gate import Gate
from benchmarks.pages import markdown_table, print_table, write_between
from energy.console import print_json
from energy.errors import ToleranceError
from energy.guard import guard

MARK = "scaling: benchmarks.distributed.scaling"

HEADS = (
    "contestant",
    "one process, s",
    "two processes, s",
    "scaling",
    "tokens/s on two",
    "rows of the busier process over the mean",
)

GATE_HEADS = ("gate", "target", "measured", "met")

BELOW_DDP = 0.05
"""Points that the trainer's scaling may be below that of DistributedDataParallel."""


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", type=Path, help="page to write the tables into")
    options = parser.parse_args()
    guard(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Time all contestants, and compare.

    Raises:
        ToleranceError: a gate is missed.
    """
    answer = timed(options.turns)
    seconds = {
        name: {ranks: statistics.median(turns) for ranks, turns in by_ranks.items()}
        for name, by_ranks in answer["seconds"].items()
    }
    scaling = {name: each["1"] / each["2"] / 2 for name, each in seconds.items()}
    cells = [
        [
            name,
            f"{each['1']:.3f}",
            f"{each['2']:.3f}",
            f"{scaling[name]:.0%}",
            f"{answer['tokens'] / each['2']:,.0f}",
            f"{busiest:.2f}" if (busiest := answer["busiest"][name]) else "-",
        ]
        for name, each in seconds.items()
    ]
    gates = gates_of(seconds, scaling)
    gate_cells = [[g.name, g.target("{:.2f}".format), f"{g.value:.2f}", g.verdict] for g in gates]
    if options.json:
        print_json({**answer, "scaling": scaling, "gates": [gate.as_json() for gate in gates]})
    else:
        print_table(HEADS, cells)
        print_table(GATE_HEADS, gate_cells)
    if options.write:
        tables = [markdown_table(HEADS, cells), markdown_table(GATE_HEADS, gate_cells)]
        write_between(options.write, MARK, "\n\n".join(tables))
    missed = [gate.name for gate in gates if not gate.met]
    if missed:
        raise ToleranceError("expected all gates met", ", ".join(missed))


def gates_of(seconds: dict[str, dict[str, float]], scaling: dict[str, float]) -> list[Gate]:
    """Return the gates of our mixture with its experts shared out, and of our dense twin."""
    ddp = scaling["DistributedDataParallel, dense twin"]
    least = {"at_least": True, "form": "ratio"}
    ours = "glam train, experts shared out"
    plain = seconds["plain reference, experts shared out"]
    return [
        *(
            Gate(f"{name}: scaling", scaling[name], ddp - BELOW_DDP, **least)  # type: ignore[arg-type]
            for name in (ours, "glam train, dense twin")
        ),
        Gate(
            "speed on two processes over the plain reference",
            plain["2"] / seconds[ours]["2"],
            1.0,
            **least,  # type: ignore[arg-type]
        ),
    ]


def timed(turns: int) -> dict[str, Any]:
    """Return the seconds of all turns, by contestant and processes, and the tokens of a step."""
    with tempfile.TemporaryDirectory() as name:
        run = subprocess.run(
            [*command(2, "benchmarks.distributed.contestants"), "--turns", str(turns)],
            capture_output=True,
            text=True,
            cwd=name,
            env=environment(Path(name)),
        )
    lines = [line for line in run.stdout.splitlines() if line.startswith("{")]
    if run.returncode or not lines:
        raise ToleranceError("expected contestants that end", run.stderr[-800:])
    answer: dict[str, Any] = json.loads(lines[0])
    return answer


if __name__ == "__main__":
    main()
