"""Steps and generation in both formats, beside a former build and transformers' Mixtral.

Every contestant is a process with one thread and the tuned allocator. They take turns, and the
median ratio of processor seconds over the turns counts, so other work on the machine matters
little. Ours and the former build's have the family `plain`, which both have, and AdamW.

    python -m benchmarks.trainer.beside --beside DIR [--rounds 5] [--new 32] [--only WORDS]
        [--write PAGE] [--json]

DIR is a checkout of the former build: git worktree add ../before 6e37131.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.checkouts import median_ratio, require_checkout
from benchmarks.gate import Gate
from benchmarks.pages import markdown_table, print_table, split_at_marks, write_between
from benchmarks.process import ROOT
from benchmarks.trainer.layer import CASES, HALF_OURS, HALF_PRODUCTS, HALF_WEIGHTS, ST_MOE
from benchmarks.trainer.page import GATE_HEADS, gate_cells
from benchmarks.trainer.step import BATCH, SHAPE
from energy.console import print_json
from energy.errors import AccountingError, InputError
from energy.guard import guard
from energy.ledger.environment import machine
from energy.shape import Shape

MARK = "tables: benchmarks.trainer.beside"
GROWN = tuple(replace(SHAPE, n_experts=n, n_layers=4, n_moe_layers=4) for n in (16, 64))
"""Mixtures whose step is compared with that of their dense twin."""
LAYER_TARGET = 1.25

Rounds = list[dict[str, float]]


@dataclass(frozen=True)
class Comparison:
    """What the fastest of ours is compared with in one series of turns.

    Attributes:
        name: what is compared.
        cases: name of each contestant -> root of its code and its case.
        targets: ours, the others of which the fastest counts, and by how much ours is to be faster.
    """

    name: str
    cases: Mapping[str, tuple[Path, dict[str, Any]]]
    targets: tuple[tuple[str, tuple[str, ...], float], ...]


def step_case(kind: str, shape: Shape, precision: str) -> dict[str, Any]:
    """The case of a training step."""
    return {"kind": kind, "shape": own_fields(shape), "precision": precision, "batch": BATCH}


def own_fields(shape: Shape) -> dict[str, Any]:
    """The fields of a shape that a former build knows too: those without their default."""
    values = {item.name: getattr(shape, item.name) for item in fields(Shape)}
    return {
        item.name: values[item.name] for item in fields(Shape) if values[item.name] != item.default
    }


def comparisons(former: Path, new: int) -> list[Comparison]:
    """Everything that is compared, in order.

    Args:
        former: root of the former build.
        new: tokens that a generation adds.
    """
    dense = SHAPE.dense()
    steps = {
        "former build": (former, step_case("step", SHAPE, "float32")),
        "float32": (ROOT, step_case("step", SHAPE, "float32")),
        "bfloat16": (ROOT, step_case("step", SHAPE, "bfloat16")),
        "HF Mixtral, float32": (ROOT, step_case("mixtral step", SHAPE, "float32")),
        "HF Mixtral, bfloat16": (ROOT, step_case("mixtral step", SHAPE, "bfloat16")),
    }
    targets = (
        ("bfloat16", ("former build",), 1.7),
        ("bfloat16", ("HF Mixtral, float32",), 1.9),
        ("bfloat16", ("HF Mixtral, bfloat16",), 1.5),
    )
    twins = {
        "former build": (former, step_case("step", dense, "float32")),
        "float32": (ROOT, step_case("step", dense, "float32")),
        "bfloat16": (ROOT, step_case("step", dense, "bfloat16")),
    }
    return [
        Comparison("step of a mixture", steps, targets),
        Comparison(
            "step of its dense twin",
            twins,
            (("bfloat16", ("former build",), 1.9), ("float32", ("former build",), 1.0)),
        ),
        *(_layer(width, n_experts) for width, n_experts in CASES),
        *(_growth(precision) for precision in ("float32", "bfloat16")),
        *(_generation(former, window, new, target) for window, target in ((256, 3.5), (1024, 5.0))),
    ]


def _growth(precision: str) -> Comparison:
    """Mixtures of 16 and 64 experts beside their dense twin, 4 layers."""
    cases = {"dense": (ROOT, step_case("step", GROWN[0].dense(), precision))}
    for shape in GROWN:
        cases[f"{shape.n_experts:.0f} experts"] = (ROOT, step_case("step", shape, precision))
    # At most 10 % more time than dense.
    targets = tuple((name, ("dense",), 1 / 1.1) for name in cases if name != "dense")
    return Comparison(f"4 layers, {precision}", cases, targets)


def _generation(former: Path, window: int, new: int, target: float) -> Comparison:
    shape = replace(SHAPE, seq_len=window)
    ours = {"kind": "text", "shape": own_fields(shape), "batch": 1, "new": new}
    return Comparison(
        f"last {new} tokens of a window of {window}",
        {
            "former build": (former, ours),
            "ours": (ROOT, ours),
            "HF Mixtral": (ROOT, ours | {"kind": "mixtral text"}),
        },
        (("ours", ("former build",), target), ("ours", ("HF Mixtral",), 1.05)),
    )


def _layer(width: int, n_experts: int) -> Comparison:
    """Layers in bfloat16: the fastest of those that compute the same rows, and st-moe-pytorch."""
    st_moe = (ST_MOE,) if find_spec("st_moe_pytorch") else ()
    same_rows = tuple(name for name in HALF_PRODUCTS if name != ST_MOE)
    names = (*HALF_OURS, *same_rows, *HALF_WEIGHTS, *st_moe)
    dropless, slots = HALF_OURS
    case = {"kind": "layer", "width": width, "experts": n_experts}
    targets = [(dropless, same_rows, LAYER_TARGET), (dropless, HALF_WEIGHTS, LAYER_TARGET)]
    if st_moe:
        targets.append((slots, st_moe, LAYER_TARGET))
    return Comparison(
        f"layer in bfloat16, M {width}, E {n_experts}",
        {name: (ROOT, case | {"layer": name}) for name in names},
        tuple(targets),
    )


def measure(comparison: Comparison, rounds: int) -> dict[str, Rounds]:
    """Seconds and results of each contestant, in turns.

    Raises:
        AccountingError: a contestant ended, or two generations that should agree differ.
    """
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(_start(root, case))
            for name, (root, case) in comparison.cases.items()
        }
        for name, process in processes.items():
            _answer(name, process)
        rows: dict[str, Rounds] = {name: [] for name in processes}
        for _ in range(rounds):
            for name, process in processes.items():
                assert process.stdin is not None
                process.stdin.write("turn\n")
                process.stdin.flush()
                rows[name].append(_answer(name, process))
        for process in processes.values():
            process.kill()
    if {"ours", "former build"} <= set(rows) and rows["ours"][0]["result"] != rows["former build"][
        0
    ]["result"]:
        raise AccountingError("expected the tokens of the former build", "others")
    return rows


def _start(root: Path, case: dict[str, Any]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "benchmarks/trainer/contestant.py"), json.dumps(case)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={
            **os.environ,
            "PYTHONPATH": f"{root}:{os.environ.get('PYTHONPATH', '')}",
            "OMP_NUM_THREADS": "1",
        },
    )


def _answer(name: str, process: subprocess.Popen[str]) -> dict[str, float]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AccountingError(f"expected an answer of {name}", f"exit code {process.wait()}")
    return dict(json.loads(line))


def gates(comparison: Comparison, rows: dict[str, Rounds]) -> list[Gate]:
    """How much faster ours is, with its target."""
    seconds = {name: [turn["seconds"] for turn in turns] for name, turns in rows.items()}
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    results = []
    for ours, others, target in comparison.targets:
        fastest = min(others, key=medians.__getitem__)
        results.append(
            Gate(
                f"{comparison.name}: {ours}, speed over {fastest}",
                median_ratio(seconds[fastest], seconds[ours]),
                target,
                at_least=True,
                rows=len(seconds[ours]),
                form="ratio",
            )
        )
    return results


def page(results: list[Gate], rounds: int, command: str) -> str:
    """The table of the page, with its conditions."""
    facts = machine()
    conditions = (
        f"`{command}`, {time.strftime('%Y-%m-%d', time.gmtime())}, {facts['cpu']}, one thread "
        f"each; a shared machine, load {os.getloadavg()[0]:.1f} on {facts['cores']} cores; "
        f"medians of {rounds} turns, processor seconds."
    )
    return f"{conditions}\n\n{markdown_table(GATE_HEADS, [gate_cells(gate) for gate in results])}"


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--beside", type=Path, required=True, help="checkout of the former build")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant (5)")
    parser.add_argument("--new", type=int, default=32, help="tokens that a generation adds (32)")
    parser.add_argument("--only", default="", help="words in the name of what is compared")
    parser.add_argument("--write", type=Path, help="page whose table is replaced")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    former = require_checkout(options.beside, "glam/config.py")
    if options.write:
        split_at_marks(options.write, MARK)
    results: list[Gate] = []
    chosen = [each for each in comparisons(former, options.new) if options.only in each.name]
    if not chosen:
        raise InputError("expected --only WORDS that the name of a comparison has", options.only)
    for comparison in chosen:
        print(comparison.name, file=sys.stderr, flush=True)
        results += gates(comparison, measure(comparison, options.rounds))
        for gate in results[-len(comparison.targets) :]:
            print(f"  {gate.name}: {gate.value:.2f}", file=sys.stderr, flush=True)
    if options.write:
        command = f"python -m benchmarks.trainer.beside --beside DIR --rounds {options.rounds}"
        write_between(options.write, MARK, page(results, options.rounds, command))
    if options.json:
        print_json({"gates": [gate.as_json() for gate in results]})
        return
    print_table(GATE_HEADS, [gate_cells(gate) for gate in results])


if __name__ == "__main__":
    guard(main)
