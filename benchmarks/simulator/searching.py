"""One checkout's searches of plans, one for each line of input: `searches` runs it in turns.

It imports by what a checkout has: a former build evaluates one space at a time and keeps all plans.

    python benchmarks/simulator/searching.py '[{"name": "mixtral-8x7b", ...}]'
"""

from __future__ import annotations

import json
import sys
import time
from hashlib import sha256
from importlib import import_module
from typing import Any

import numpy as np

from simulator.plans.evaluate import evaluate
from simulator.runs.setup import Setup
from simulator.scenarios.scenario import check

evaluation = import_module("simulator.plans.evaluate")
TOGETHER = hasattr(evaluation, "evaluate_all")


def sweep(setups: list[Setup]) -> tuple[int, list[Any]]:
    """Every plan of each setup: how many there are, and what they take."""
    spaces, first = [setup.space() for setup in setups], setups[0]
    model = first.shape, first.hardware, first.constants
    if TOGETHER:
        every = list(evaluation.evaluate_all(model[0], spaces, *model[1:]))
    else:
        every = [evaluate(model[0], space, *model[1:]) for space in spaces]
    return sum(each.considered for each in every), every


def best(setups: list[Setup]) -> tuple[int, list[Any]]:
    """The fastest plan of the first setup, of a fine space: how many plans, and which it is."""
    setup = setups[0]
    keep = {"keep": import_module("simulator.plans.block").Fastest()} if TOGETHER else {}
    space = setup.space(fine=True)
    fitting = evaluate(setup.shape, space, setup.hardware, setup.constants, **keep)
    fitting = fitting.in_order() if TOGETHER else fitting
    return fitting.considered, [str(fitting.plan(int(np.argmin(fitting.step_s))))]


def digest(answers: list[Any]) -> str:
    """A sum of all bits of answers, in the order of their spaces."""
    bits = sha256()
    for answer in answers:
        if isinstance(answer, str):
            bits.update(answer.encode())
            continue
        ordered = answer.in_order() if TOGETHER else answer
        for name in ("step_s", "chip_w", "needs_bytes"):
            bits.update(np.ascontiguousarray(getattr(ordered, name)).tobytes())
        bits.update(str((ordered.considered, ordered.too_large, ordered.leanest)).encode())
    return bits.hexdigest()


def main() -> None:
    """Resolve the scenarios on the command line, then search whenever a line asks for it."""
    setups = [Setup.of(check(scenario, scenario["name"])) for scenario in json.loads(sys.argv[1])]
    for line in sys.stdin:
        search = {"sweep": sweep, "best": best}[line.strip()]
        begun = time.process_time()
        considered, answers = search(setups)
        seconds = time.process_time() - begun
        answer = {"considered": considered, "seconds": seconds, "digest": digest(answers)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
