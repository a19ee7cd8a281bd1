"""Bytes of every message of a step, counted by the trainer and by the simulator's formulas.

    python -m benchmarks.distributed.messages [--write docs/results-cluster.md] [--json]

1, 2 and 4 processes, every layout, mixture and dense. What the simulator leaves out (loads, losses,
statistics and the norm) is counted apart, by a formula too. Exit code 5 if a number differs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.distributed.launch import command, environment
from benchmarks.distributed.worker import MICRO_BATCHES, SEQUENCES, SHAPES
from benchmarks.pages import markdown_table, print_table, write_between
from energy.console import print_json
from energy.errors import ToleranceError
from energy.guard import guard
from simulator.physics.plan import Plan
from simulator.physics.traffic import slots, stage_parameters

MARK = "bytes of messages: benchmarks.distributed.messages"

RANKS = (1, 2, 4)

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all")

HEADS = (
    "processes",
    "model",
    "dispatch",
    "layout",
    "E x D",
    *KINDS,
    "left out",
    "padding",
    "counted",
)


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", type=Path, help="page to write the table into")
    options = parser.parse_args()
    guard(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Count, and compare.

    Raises:
        ToleranceError: the trainer sends other bytes than the formulas say.
    """
    rows = [row for ranks in RANKS for row in counted(ranks)]
    cells = [cells_of(row) for row in rows]
    if options.json:
        print_json({"rows": [row | {"expected_bytes": expected(row)} for row in rows]})
    else:
        print_table(HEADS, cells)
    if options.write:
        write_between(options.write, MARK, markdown_table(HEADS, cells))
    for row in rows:
        if row["bytes_of_messages"] != expected(row):
            raise ToleranceError(f"expected {expected(row)}", f"{row['bytes_of_messages']}")


def counted(ranks: int) -> list[dict[str, Any]]:
    """Return the rows of `benchmarks.distributed.worker` on so many processes."""
    with tempfile.TemporaryDirectory() as name:
        options = ["--steps", "1", "--recipes", "adafactor", "--out", "o"]
        run = subprocess.run(
            [*command(ranks, "benchmarks.distributed.worker"), *options],
            capture_output=True,
            text=True,
            cwd=name,
            env=environment(Path(name)),
        )
    rows = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    if run.returncode or not rows:
        raise ToleranceError("expected steps that end", run.stderr[-500:])
    return rows


def plan_of(row: Mapping[str, Any]) -> Plan:
    """The plan of the simulator for a row of the worker."""
    return Plan(
        n_chips=row["ranks"],
        ep=int(row["degrees"].split(" x ")[0]),
        zero=3 if "FSDP2" in row["layout"] else 0,
        global_batch=SEQUENCES,
        micro_batch=SEQUENCES // MICRO_BATCHES // row["ranks"],
        activation_bytes=4,
        capacity_factor=1.25 if row["dispatch"] == "gshard" else 1.0,
    )


def of_table(row: Mapping[str, Any]) -> dict[str, float]:
    """Bytes of a step by kind, by the simulator's formulas."""
    shape, plan = SHAPES[row["model"]], plan_of(row)
    experts, rest = (4 * float(count) for count in stage_parameters(shape, plan))
    if row["ranks"] == 1:
        return {}
    spread = rest + (experts if plan.expert_dp > 1 else 0)
    sent = slots(shape, plan)
    whole = {"all-reduce": spread if plan.zero == 0 else 0.0}
    if plan.zero:
        whole["all-gather"] = MICRO_BATCHES * 2 * spread
        whole["reduce-scatter"] = MICRO_BATCHES * spread
    if plan.ep > 1:
        whole["all-to-all"] = MICRO_BATCHES * float(sent.count) * float(sent.bytes)
    return {kind: size for kind, size in whole.items() if size}


def left_out(row: Mapping[str, Any]) -> dict[str, float]:
    """Bytes of a step that the simulator leaves out, by kind and format.

    Four losses, six statistics of each mixture and the first choices of its experts once; with
    dropless dispatch the loads of each micro-batch, for the loss of the whole batch; the squares of
    the gradients' norm; and the rows of each expert, which dropless dispatch sends ahead of them.
    """
    shape, plan = SHAPES[row["model"]], plan_of(row)
    layers = int(shape.n_moe_layers)
    n_experts = int(shape.n_experts) if layers else 0
    small = 4 * (4 + layers * (6 + n_experts))
    dropless = row["dispatch"] == "dropless"
    if dropless and row["ranks"] > 1:
        small += MICRO_BATCHES * layers * 4 * n_experts
    sizes = {"all-reduce float32": float(small), "all-reduce float64": 8.0}
    if plan.ep > 1 and dropless:
        sizes["all-to-all int64"] = float(MICRO_BATCHES * layers * 8 * n_experts)
    return sizes


def padded(row: Mapping[str, Any]) -> dict[str, float]:
    """Bytes that torch adds, by kind: FSDP2 pads what does not divide among its shards.

    Of these models that is the router of two experts on four processes: a row for each.
    """
    shape, plan = SHAPES[row["model"]], plan_of(row)
    rows = -float(shape.n_experts) % row["ranks"] if plan.zero and shape.n_moe_layers else 0.0
    size = 4 * float(shape.n_moe_layers) * rows * float(shape.d_model)
    counts = {"all-gather": MICRO_BATCHES * 2, "reduce-scatter": MICRO_BATCHES}
    return {kind: count * size for kind, count in counts.items() if size}


def expected(row: Mapping[str, Any]) -> dict[str, float]:
    """Bytes of all messages of a step by kind and format."""
    sizes = left_out(row)
    for kind, size in (*of_table(row).items(), *padded(row).items()):
        name = f"{kind} float32"
        sizes[name] = sizes.get(name, 0.0) + size
    return sizes


def cells_of(row: Mapping[str, Any]) -> list[str]:
    """The row of the table: bytes by the formulas, and whether as many were counted."""
    whole = of_table(row)
    sizes = [f"{whole[kind]:,.0f}" if kind in whole else "-" for kind in KINDS]
    rest = f"{sum(left_out(row).values()):,.0f}"
    verdict = "equal" if row["bytes_of_messages"] == expected(row) else "**other**"
    names = [str(row["ranks"]), row["model"], row["dispatch"], row["layout"], row["degrees"]]
    return [*names, *sizes, rest, f"{sum(padded(row).values()):,.0f}", verdict]


if __name__ == "__main__":
    main()
