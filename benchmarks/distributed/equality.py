"""The table of layouts: each of 1, 2 and 4 processes trains as one process does.

    python -m benchmarks.distributed.equality [--write docs/results-cluster.md] [--json]

Every cell is 50 steps of `benchmarks.distributed.worker`, with one thread a process. A cell that
was measured stands in equality.jsonl beside this module, with machine, date and versions, and is
not measured again; what was interrupted goes on with the next cell. `--again` measures all anew.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.distributed.circumstances import circumstances, said
from benchmarks.distributed.launch import command, environment
from benchmarks.pages import Table, markdown_table, print_table, split_at_marks, write_between
from energy.console import print_json
from energy.errors import InputError, ToleranceError
from energy.guard import guard

MARK = "layouts: benchmarks.distributed.equality"
MEASURED = Path(__file__).with_name("equality.jsonl")

LIMIT = 1e-6
"""Largest difference of loss and gradient norm, relative."""

LEAST_FALL = 0.1
"""By which the loss must fall, so that there is something to differ in."""

PARTS = ("loss", "gradient_norm")

SOME = 5
"""Failures that are named."""


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4], metavar="N")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--measured", type=Path, default=MEASURED, help="file of the cells")
    parser.add_argument("--again", action="store_true", help="measure all cells anew")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write the table into a page")
    parser.add_argument("--json", action="store_true", help="print the cells as JSON")
    options = parser.parse_args()
    guard(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Measure what is missing; print or write the table.

    Raises:
        InputError: the number of processes or steps is none, or the page has no place for it.
        ToleranceError: a cell differs by more than the limit.
    """
    if (least := min(*options.ranks, options.steps)) < 1:
        raise InputError("expected --ranks and --steps of at least 1", str(least))
    if options.write:
        split_at_marks(options.write, MARK)
    if options.again:
        options.measured.unlink(missing_ok=True)
    cells = [
        cell for ranks in options.ranks for cell in of_ranks(ranks, options.steps, options.measured)
    ]
    if options.json:
        print_json({"cells": cells, "passed": not failures(cells)})
    elif options.write:
        write_between(options.write, MARK, page(cells))
    else:
        for heads, rows in (table(cells, recipe) for recipe in recipes(cells)):
            print_table(heads, rows)
        print(summary(cells))
    if failed := failures(cells):
        raise ToleranceError("expected every layout to train as one process", _some(failed))


def of_ranks(ranks: int, steps: int, file: Path) -> list[dict[str, Any]]:
    """Return the cells of so many processes; measure those that are missing."""
    names = [case.name for case in _cases(ranks)]
    known = {
        cell["case"]: cell
        for cell in read(file)
        if (cell["ranks"], cell["steps"]) == (ranks, steps)
    }
    missing = [name for name in names if name not in known]
    if missing:
        known |= {cell["case"]: cell for cell in measure(ranks, steps, missing, file)}
    return [known[name] for name in names]


def read(file: Path) -> list[dict[str, Any]]:
    """Return the cells of a file; none where there is no file. A line that was cut is no cell."""
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def measure(ranks: int, steps: int, names: list[str], file: Path) -> Iterator[dict[str, Any]]:
    """Measure cells with so many processes; keep each in a file as soon as it is there.

    Raises:
        ToleranceError: the processes failed.
    """
    facts = circumstances()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = ["--steps", str(steps), "--out", str(folder / "out"), "--only", *names]
        log = folder / "log"
        with (
            log.open("w") as errors,
            subprocess.Popen(
                [*command(ranks, "benchmarks.distributed.worker"), *arguments],
                cwd=folder,
                # Where the worker leaves what it needs for a moment.
                env={**environment(folder), "TMPDIR": name},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            ) as workers,
        ):
            assert workers.stdout is not None
            for line in workers.stdout:
                if line.startswith("{"):
                    cell = {**json.loads(line), **facts}
                    _keep(cell, file)
                    yield cell
        if workers.returncode:
            raise ToleranceError(f"expected {ranks} processes that train", _problem(log))


def _problem(log: Path) -> str:
    """Return the last error that processes have printed, before the account of torchrun."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if "Error: " in line]
    return (lines or ["a failure"])[-1][:300]


def _keep(cell: dict[str, Any], file: Path) -> None:
    """Append a cell to a file."""
    with file.open("a+", encoding="utf-8") as stream:
        if stream.tell() and not _ends_a_line(file):
            stream.write("\n")
        stream.write(json.dumps(cell) + "\n")
        stream.flush()
        os.fsync(stream.fileno())


def _ends_a_line(file: Path) -> bool:
    with file.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read() == b"\n"


def _cases(ranks: int) -> list[Any]:
    from benchmarks.distributed.worker import RECIPES, cases

    return list(cases(ranks, list(RECIPES)))


def failures(cells: Iterable[dict[str, Any]]) -> list[str]:
    """Return in words which cells differ from one process, and by what."""
    problems = []
    for cell in cells:
        where = f"{cell['ranks']} ranks, {cell['case']}"
        problems += [f"{where}: {part} {cell[part]:.1e}" for part in PARTS if cell[part] > LIMIT]
        if cell["steps_with_other_experts"]:
            problems.append(f"{where}: other experts in steps {cell['steps_with_other_experts']}")
        if cell["loss_falls_by"] < LEAST_FALL:
            problems.append(f"{where}: the loss falls by {cell['loss_falls_by']:.0%} only")
        if not cell["rewritten_bit_equal"]:
            problems.append(f"{where}: another checkpoint in another layout")
    return problems


def _some(failed: list[str]) -> str:
    """Return the first failures, and how many more there are."""
    more = [f"{len(failed) - SOME} more"] if len(failed) > SOME else []
    return "; ".join([*failed[:SOME], *more])


def recipes(cells: list[dict[str, Any]]) -> list[str]:
    """Return the optimizers of the cells, in order."""
    return list(dict.fromkeys(cell["recipe"] for cell in cells))


def table(cells: list[dict[str, Any]], recipe: str) -> Table:
    """Return a table: a row for each layout, a column for each model, loss / gradient norm."""
    own = [cell for cell in cells if cell["recipe"] == recipe]
    models = dict.fromkeys(_model(cell) for cell in own)
    layouts = dict.fromkeys((cell["ranks"], cell["layout"], cell["degrees"]) for cell in own)
    rows = []
    for layout in layouts:
        here = {
            _model(cell): " / ".join(f"{cell[part]:.1e}" for part in PARTS)
            for cell in own
            if (cell["ranks"], cell["layout"], cell["degrees"]) == layout
        }
        rows.append([*map(str, layout), *(here.get(model, "-") for model in models)])
    return (f"ranks, {recipe}", "layout", "E x D", *models), rows


def _model(cell: dict[str, Any]) -> str:
    if cell["model"] == "dense":
        return "dense"
    return f"{cell['model']}, {'capacity' if cell['dispatch'] == 'gshard' else cell['dispatch']}"


def summary(cells: list[dict[str, Any]]) -> str:
    """Return in words what the cells show together."""
    failed = failures(cells)
    most = {part: max(cell[part] for cell in cells) for part in PARTS}
    others = sum(len(cell["steps_with_other_experts"]) for cell in cells)
    fall = min(cell["loss_falls_by"] for cell in cells)
    verdict = f"{len(failed)} failures ({_some(failed)})" if failed else "none fails"
    return (
        f"{len(cells)} cells of {cells[0]['steps']} steps, {verdict}: largest difference of the "
        f"loss {most['loss']:.1e}, of the gradient norm {most['gradient_norm']:.1e} (limit "
        f"{LIMIT:g}); steps with another expert: {others}; the loss falls by {fall:.0%} or more. "
        f"{said(cells)}."
    )


def page(cells: list[dict[str, Any]]) -> str:
    """Return the tables and their summary as Markdown."""
    tables = [markdown_table(*table(cells, recipe)) for recipe in recipes(cells)]
    return "\n\n".join([summary(cells), *tables])


if __name__ == "__main__":
    main()
