"""The what-if page: its first paint beside the imports that it needs, and the time of an answer.

Everything in one run, in turns, on one machine; the load of the machine stands beside the figures.

    python -m benchmarks.what_if [--rounds 5] [--write PAGE] [--json]
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.gate import Gate
from benchmarks.pages import markdown_table, print_table, split_at_marks, write_between
from benchmarks.process import run_process
from energy.console import print_json
from energy.errors import InputError
from energy.guard import guard
from energy.meters.files import cpuinfo_field, text_of

if TYPE_CHECKING:
    from simulator.scenarios.what_if import WhatIf

MARK = "page: benchmarks.what_if"
HEADS = ("figure", "median", "target", "met")
MOST_TIMES, MOST_S = 3.0, 0.2
IMPORTS = "import marimo, numpy"


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="starts of the page (5)")
    parser.add_argument("--write", type=Path, help="page whose table is replaced")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    guard(lambda: run(options.rounds, options.write, as_json=options.json))


def run(rounds: int, page: Path | None, *, as_json: bool) -> None:
    """Measure, print, and write the table into a page.

    Raises:
        InputError: there are no rounds, or no place in the page.
    """
    if rounds < 1:
        raise InputError("expected --rounds of at least 1", str(rounds))
    if page:
        split_at_marks(page, MARK)
    gates = [*first_paint(rounds), *answers()]
    rows = [
        (gate.name, _shown(gate, gate.value), gate.target(partial(_shown, gate)), gate.verdict)
        for gate in gates
    ]
    when = datetime.now(UTC).date()
    chip = cpuinfo_field(text_of(Path("/proc/cpuinfo")), "model name")
    where = f"{when}, {chip}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    if as_json:
        print_json({"where": where, "gates": [gate.as_json() for gate in gates]})
    else:
        print_table(HEADS, rows)
        print(where)
    if page:
        write_between(page, MARK, f"{markdown_table(HEADS, rows)}\n\n{where}.")


def first_paint(rounds: int) -> list[Gate]:
    """The page's start against the imports alone: processor time, and time on the clock."""
    imports, starts = [], []
    for _ in range(rounds):
        done = run_process([sys.executable, "-c", IMPORTS])
        imports.append((done.processor_s, done.elapsed_s))
        with tempfile.TemporaryDirectory() as folder:
            starts.append(_start(Path(folder)))
    base = [statistics.median(row) for row in zip(*imports, strict=True)]
    page = [statistics.median(row) for row in zip(*starts, strict=True)]
    return [
        Gate(
            "processor time of the page's process until its figures are painted, over that of "
            f"`{IMPORTS}`",
            page[0] / base[0],
            MOST_TIMES,
            form="ratio",
        ),
        Gate(
            f"the first paint in a browser, from the start of the process, over `{IMPORTS}`",
            page[1] / base[1],
            MOST_TIMES,
            form="ratio",
        ),
        Gate("the figures painted in a browser, likewise", page[2] / base[1], None, form="ratio"),
        Gate(f"`{IMPORTS}` / s", base[1], None, form="count"),
    ]


def _start(folder: Path) -> tuple[float, float, float]:
    """Processor seconds until the figures are painted; seconds until the first paint and then."""
    import psutil

    from tests.support.browser import browser
    from tests.support.what_if import served, until

    window = browser(folder / "profile")
    try:
        begin = time.time()
        with served(folder) as (server, address):
            window.get(address)
            there = "return document.querySelector('#headline') ? Date.now() : 0"
            figures = until(lambda: window.execute_script(there)) / 1e3
            used = psutil.Process(server.pid).cpu_times()
            paint = (
                "return performance.timeOrigin + performance.getEntriesByType('paint')"
                ".find(each => each.name == 'first-paint').startTime"
            )
            painted = window.execute_script(paint) / 1e3
        return used.user + used.system, painted - begin, figures - begin
    finally:
        window.quit()


def answers() -> list[Gate]:
    """Processor seconds of an answer with its picture, over a walk through all menus."""
    from simulator.questions.sweep.pareto import pareto
    from simulator.questions.what_if import markup, menus
    from simulator.questions.what_if.answer import what_if

    figures, whole = [], []
    with tempfile.TemporaryDirectory() as folder:
        for chosen in itertools.chain([next(_walk())], _walk()):
            begin = time.process_time()
            answered = what_if(chosen, Path(folder))
            markup.answer(answered)
            figures.append(time.process_time() - begin)
            front = pareto(*answered.scenarios, chips=menus.around(chosen.chips))
            rows = [
                (cell.sparse, cell.scenario.hardware.count, weeks, mwh)
                for cell in front.cells
                for weeks, mwh, *_ in cell.costs.tolist()
            ]
            markup.picture(answered, rows)
            whole.append(time.process_time() - begin)
    # The first loads the catalogs.
    name = "a change, processor time of the server"
    return [
        Gate(f"{name}: the four figures / s", statistics.median(figures[1:]), MOST_S, form="count"),
        Gate(
            f"{name}: the picture as well / s", statistics.median(whole[1:]), MOST_S, form="count"
        ),
        Gate(f"{name}: the slowest of them / s", max(whole[1:]), None, form="count"),
    ]


def _walk() -> Iterator[WhatIf]:
    """One change after the other, of models of several kinds."""
    from simulator.scenarios.what_if import WhatIf

    first = WhatIf(chip="h100", chips=1024, place="FRA", tokens=2e12, batch=4e6)
    for model in ("glam-64b-64e", "mixtral-8x7b", "deepseek-v3", "llama3-70b"):
        chosen = replace(first, model=model)
        yield chosen
        for chips in (2048, 4096, 8192):
            yield replace(chosen, chips=chips)
        chosen = replace(chosen, chips=8192)
        yield replace(chosen, tokens=15e12)
        yield replace(chosen, place="USA")
        yield replace(chosen, pue=1.1)
        yield replace(chosen, price="2.5")
        yield replace(chosen, measured="35% MFU")


def _shown(gate: Gate, value: float) -> str:
    return f"{value:.2f} times" if gate.form == "ratio" else f"{value:.3f}"


if __name__ == "__main__":
    main()
